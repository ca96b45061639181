/// How the till looks: where things are, and their colours. Made for 1280x1024, and scaled to what the screen is.
struct Scene {
    typealias Rect = Canvas.Rect

    private enum Colour {
        static let ground: UInt32 = 0xf1f4ef
        static let panel: UInt32 = 0xffffff
        static let edge: UInt32 = 0xdde5da
        static let text: UInt32 = 0x1b2a22
        static let faint: UInt32 = 0x73827a
        static let green: UInt32 = 0x1f7a4a
        static let deep: UInt32 = 0x12492e
        static let amber: UInt32 = 0xf2a31b
        static let red: UInt32 = 0xb93a32
        static let stripe: UInt32 = 0xf6f9f5
    }

    let width: Int
    let height: Int
    private let scale: Double
    private let rowUnits = 64

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        scale = max(0.2, min(Double(width) / 1280, Double(height) / 1024))
    }

    private func u(_ units: Int) -> Int { Int((Double(units) * scale).rounded()) }
    private func rect(_ x: Int, _ y: Int, _ width: Int, _ height: Int) -> Rect {
        Rect(x: u(x), y: u(y), width: u(x + width) - u(x), height: u(y + height) - u(y))
    }

    /// How many items are in view.
    let rows = 10
    var rowHeight: Int { u(rowUnits) }
    /// Where the items are: a whole number of rows.
    var list: Rect { Rect(x: u(40), y: u(206), width: u(536), height: rowHeight * rows) }
    var video: Rect { rect(616, 344, 640, 360) }

    func place(of button: Till.Button) -> Rect {
        switch button {
        case .start: rect(400, 640, 480, 120)
        case .pay: rect(616, 728, 640, 112)
        case .help: rect(616, 864, 640, 72)
        }
    }

    /// The button at a point, while it can be touched.
    func button(atX x: Int, y: Int, _ till: Till) -> Till.Button? {
        let shown: [Till.Button] = till.stage == .idle ? [.start, .help] : [.pay, .help]
        return shown.first { place(of: $0).contains(x, y) }
    }

    func draw(_ till: Till, _ canvas: inout Canvas) {
        canvas.fill(Rect(x: 0, y: 0, width: width, height: height), Colour.ground)
        switch till.stage {
        case .idle: drawWelcome(till, &canvas)
        case .paid: drawThanks(&canvas)
        case .basket, .paying, .declined:
            drawBasket(till, &canvas)
            drawTotal(till, &canvas)
            if till.stage == .basket { drawOffer(&canvas) } else { drawPayment(till, &canvas) }
            let label = till.stage == .basket ? "Pay now" : "Waiting for your card"
            drawButton(.pay, label, till, till.stage == .basket ? Colour.green : Colour.faint, &canvas)
        }
        drawHead(&canvas)
        drawButton(.help, till.needsHelp ? "Help is called" : "Call for help", till, Colour.deep, &canvas)
        drawFoot(till, &canvas)
    }

    private func drawHead(_ canvas: inout Canvas) {
        canvas.shade(Rect(x: 0, y: 0, width: width, height: u(96)), Colour.green, Colour.deep)
        // A leaf for the shop's sign.
        canvas.stroke((Float(u(52)), Float(u(60))), (Float(u(68)), Float(u(40))), radius: Float(u(14)), 0xb9e3a6)
        canvas.stroke((Float(u(44)), Float(u(72))), (Float(u(70)), Float(u(38))), radius: Float(u(2)), Colour.deep)
        canvas.text("Corner Market", x: u(104), y: u(62), size: u(30), 0xffffff, weight: 115)
        canvas.text("Lane 7 · Self-checkout", x: width - u(24), y: u(58), size: u(20), 0xcfe6d6, .right)
    }

    private func drawFoot(_ till: Till, _ canvas: inout Canvas) {
        let foot = Rect(x: 0, y: u(960), width: width, height: height - u(960))
        if till.needsHelp {
            canvas.fill(foot, Colour.amber)
            canvas.text(
                "An attendant is on the way to you", x: width / 2, y: u(1002), size: u(26), 0x3a2500, .middle,
                weight: 110)
        } else {
            canvas.fill(foot, 0xe3eadf)
            canvas.text(
                "Scan an item, or touch the screen to go on", x: width / 2, y: u(1000), size: u(18), Colour.faint,
                .middle)
        }
    }

    private func drawPanel(_ rect: Rect, _ canvas: inout Canvas) {
        canvas.panel(rect, radius: u(14), Colour.edge)
        canvas.panel(rect.inset(max(1, u(2))), radius: u(13), Colour.panel)
    }

    private func drawButton(
        _ button: Till.Button, _ label: String, _ till: Till, _ colour: UInt32, _ canvas: inout Canvas
    ) {
        let rect = place(of: button)
        let fill = till.touched == button ? Canvas.mix(colour, 0xffffff, 70) : colour
        canvas.panel(rect, radius: u(16), fill)
        let size = min(u(36), rect.height * 4 / 10)
        canvas.text(
            label, x: rect.x + rect.width / 2, y: rect.y + (rect.height + size) / 2, size: size, 0xffffff, .middle,
            weight: 110)
    }

    private func drawBasket(_ till: Till, _ canvas: inout Canvas) {
        drawPanel(rect(24, 120, 568, 816), &canvas)
        canvas.text("Your basket", x: u(48), y: u(172), size: u(28), Colour.text, weight: 115)
        let count = till.items.count == 1 ? "1 item" : "\(till.items.count) items"
        canvas.text(count, x: u(568), y: u(172), size: u(20), Colour.faint, .right)
        canvas.fill(rect(40, 194, 536, 2), Colour.edge)
        for row in 0..<rows {
            let number = till.firstRow + row
            guard number < till.items.count else { break }
            drawRow(till.items[number], number, row, isLast: number == till.items.count - 1, &canvas)
        }
        canvas.fill(rect(40, 852, 536, 2), Colour.edge)
        canvas.text("Customer card", x: u(48), y: u(904), size: u(18), Colour.faint)
        canvas.panel(rect(248, 870, 320, 52), radius: u(8), 0xedf2ea)
        let shown = till.loyalty.isEmpty ? "scan or touch" : till.loyalty
        canvas.text(
            shown, x: u(552), y: u(904), size: u(18), till.loyalty.isEmpty ? 0xa5b3aa : Colour.text, .right)
    }

    private func drawRow(_ item: Till.Item, _ number: Int, _ row: Int, isLast: Bool, _ canvas: inout Canvas) {
        let place = Rect(x: list.x, y: list.y + row * rowHeight, width: list.width, height: rowHeight)
        if number % 2 == 1 { canvas.fill(place, Colour.stripe) }
        if isLast { canvas.fill(Rect(x: place.x, y: place.y, width: u(6), height: place.height), Colour.green) }
        let line = place.y + rowHeight / 2 + u(11)
        canvas.text(item.name, x: place.x + u(20), y: line, size: u(22), Colour.text)
        canvas.text(Till.price(item.cents), x: place.right - u(12), y: line, size: u(22), Colour.text, .right)
    }

    private func drawTotal(_ till: Till, _ canvas: inout Canvas) {
        let place = rect(616, 120, 640, 200)
        drawPanel(place, &canvas)
        if till.isTotal { canvas.panel(place.inset(u(2)), radius: u(13), 0xe9f5ea) }
        canvas.text(till.isTotal ? "To pay" : "Total", x: u(648), y: u(176), size: u(26), Colour.faint)
        canvas.text(
            "€ " + Till.price(till.cents), x: u(1228), y: u(280), size: u(76),
            till.isTotal ? Colour.green : Colour.text,
            .right, weight: 110)
    }

    /// What is shown where the video plays while it does not.
    private func drawOffer(_ canvas: inout Canvas) {
        canvas.panel(video, radius: u(14), Colour.amber)
        let (x, y) = (video.x + u(40), video.y)
        canvas.text("This week", x: x, y: y + u(84), size: u(24), 0x5b3b00)
        canvas.text("Apples from", x: x, y: y + u(156), size: u(42), 0x3a2500, weight: 112)
        canvas.text("the valley", x: x, y: y + u(224), size: u(42), 0x3a2500, weight: 112)
        canvas.text("1 kg for 1.99", x: x, y: y + u(300), size: u(28), 0x5b3b00)
        let middle = (Float(video.right - u(130)), Float(video.y + u(196)))
        canvas.stroke(middle, (middle.0, middle.1 + Float(u(10))), radius: Float(u(86)), Colour.red)
        canvas.stroke(
            (middle.0 - Float(u(34)), middle.1 - Float(u(34))), (middle.0 - Float(u(44)), middle.1 - Float(u(10))),
            radius: Float(u(9)), 0xe58b80)
        canvas.stroke(
            (middle.0, middle.1 - Float(u(84))), (middle.0 + Float(u(14)), middle.1 - Float(u(124))),
            radius: Float(u(6)), 0x5b3b00)
        canvas.stroke(
            (middle.0 + Float(u(24)), middle.1 - Float(u(106))), (middle.0 + Float(u(56)), middle.1 - Float(u(118))),
            radius: Float(u(13)), Colour.green)
    }

    private func drawPayment(_ till: Till, _ canvas: inout Canvas) {
        drawPanel(video, &canvas)
        let isDeclined = till.stage == .declined
        let (left, top) = (video.x + u(44), video.y + u(48))
        // The terminal: its screen, its slot, its keys.
        canvas.panel(Rect(x: left, y: top, width: u(150), height: u(264)), radius: u(18), 0x2a3530)
        let display = Rect(x: left + u(18), y: top + u(20), width: u(114), height: u(64))
        canvas.panel(display, radius: u(6), isDeclined ? 0xf3c9c5 : 0xc9ecd4)
        for key in 0..<9 {
            let (column, row) = (key % 3, key / 3)
            canvas.panel(
                Rect(x: left + u(22 + column * 38), y: top + u(104 + row * 36), width: u(30), height: u(26)),
                radius: u(6), 0x5a6a62)
        }
        canvas.panel(Rect(x: left + u(25), y: top + u(228), width: u(100), height: u(14)), radius: u(7), Colour.amber)
        let text = video.x + u(236)
        canvas.text(
            isDeclined ? "Card declined" : "Please pay", x: text, y: video.y + u(112), size: u(36),
            isDeclined ? Colour.red : Colour.text, weight: 112)
        canvas.text(
            isDeclined ? "Try another card" : "Insert or tap your card", x: text, y: video.y + u(164), size: u(22),
            Colour.faint)
        canvas.text("Card number", x: text, y: video.y + u(222), size: u(16), Colour.faint)
        canvas.panel(Rect(x: text, y: video.y + u(240), width: u(372), height: u(64)), radius: u(8), 0xedf2ea)
        var groups = ""
        for (place, digit) in till.card.enumerated() {
            if place > 0 && place % 4 == 0 { groups.append(" ") }
            groups.append(digit)
        }
        canvas.text(groups, x: text + u(16), y: video.y + u(282), size: u(20), Colour.text)
    }

    private func drawWelcome(_ till: Till, _ canvas: inout Canvas) {
        canvas.shade(Rect(x: 0, y: u(96), width: width, height: u(864)), 0xe7f1e2, 0xc9dfc6)
        canvas.text("Welcome", x: width / 2, y: u(360), size: u(110), Colour.deep, .middle, weight: 112)
        canvas.text(
            "Scan your first item, or touch to start", x: width / 2, y: u(470), size: u(30), Colour.green, .middle)
        drawButton(.start, "Start", till, Colour.green, &canvas)
    }

    private func drawThanks(_ canvas: inout Canvas) {
        canvas.shade(Rect(x: 0, y: u(96), width: width, height: u(864)), 0xe7f1e2, 0xc9dfc6)
        let (x, y) = (Float(width / 2), Float(u(380)))
        canvas.stroke((x, y), (x, y), radius: Float(u(130)), Colour.green)
        let tick = Float(u(20))
        canvas.stroke((x - tick * 3, y), (x - tick * 0.6, y + tick * 2.4), radius: tick * 0.7, 0xffffff)
        canvas.stroke((x - tick * 0.6, y + tick * 2.4), (x + tick * 3.2, y - tick * 2.4), radius: tick * 0.7, 0xffffff)
        canvas.text("Thank you", x: width / 2, y: u(650), size: u(80), Colour.deep, .middle, weight: 112)
        canvas.text("Please take your receipt", x: width / 2, y: u(730), size: u(30), Colour.green, .middle)
    }

    /// A picture of the video: waves of colour, each frame of which differs everywhere.
    func drawVideo(_ frame: Int, _ canvas: inout Canvas) {
        let place = video
        for y in 0..<place.height {
            let wave = (y * 3 + frame * 5) & 511
            let green = UInt32(wave < 256 ? wave : 511 - wave)
            for x in 0..<place.width {
                let across = (x * 2 + frame * 7 + y) & 511
                let red = UInt32(across < 256 ? across : 511 - across)
                canvas.set(place.x + x, place.y + y, red << 16 | green << 8 | UInt32(((x ^ y) + frame) & 127))
            }
        }
    }
}
