/// What the kiosk's till knows, and the lines that change it.
struct Till {
    enum Stage: Hashable { case idle, basket, paying, paid, declined }

    struct Item: Hashable {
        var name: String
        var cents: Int
    }

    struct Fault: Error, CustomStringConvertible { var description: String }

    static let mostItems = 500

    private(set) var stage = Stage.idle
    private(set) var items: [Item] = []
    /// The first item that is shown.
    private(set) var firstRow = 0
    private(set) var loyalty = ""
    private(set) var card = ""
    private(set) var isTotal = false
    private(set) var needsHelp = false
    private(set) var playsVideo = false
    /// Of a button, while it is touched.
    var touched: Button?

    enum Button: String, Hashable { case start, pay, help }

    /// The verbs, each with what follows it.
    static let help = """
        basket open | item NAME PRICE | remove | total | pay | pan DIGITS | declined | paid | close | loyalty DIGITS | \
        help on|off | video on|off | scroll ROWS | quit
        """

    var cents: Int { items.reduce(0) { $0 + $1.cents } }

    /// Does what `line` says. `rows`: how many items are in view.
    mutating func apply(_ line: String, rows: Int) throws(Fault) {
        let words = line.split(separator: " ").map(String.init)
        let rest = words.dropFirst()
        switch words.first {
        case "basket": try expect(rest.first == "open", "basket open"); open()
        case "item": try add(Array(rest), rows)
        case "remove": if !items.isEmpty { items.removeLast() }
        case "total": isTotal = true
        case "pay": (stage, isTotal, card) = (.paying, true, "")
        case "pan": card = try digits(rest.joined(), "pan 4111111111111111")
        case "declined": stage = .declined
        case "paid": (stage, card) = (.paid, "")
        case "close": self = Till(playsVideo: playsVideo, needsHelp: needsHelp)
        case "loyalty": loyalty = try digits(rest.joined(), "loyalty 9800012345678")
        case "help": needsHelp = try isOn(rest, "help on")
        case "video": playsVideo = try isOn(rest, "video on")
        case "scroll":
            let count = rest.first.flatMap { Int($0) } ?? 1
            firstRow = min(max(0, firstRow + min(max(-1000, count), 1000)), max(0, items.count - 1))
        default: throw Fault(description: "\"\(words.first ?? "")\" is no verb; expected: \(Self.help)")
        }
    }

    init(playsVideo: Bool = false, needsHelp: Bool = false) {
        self.playsVideo = playsVideo
        self.needsHelp = needsHelp
    }

    private mutating func open() {
        (stage, items, firstRow, isTotal, loyalty, card) = (.basket, [], 0, false, "", "")
    }

    private mutating func add(_ words: [String], _ rows: Int) throws(Fault) {
        guard let last = words.last, let price = Self.cents(last), words.count >= 2 else {
            throw Fault(description: "expected: item NAME PRICE, such as: item Milk 1.19")
        }
        try expect(items.count < Self.mostItems, "fewer items")
        if stage != .basket { open() }
        items.append(Item(name: String(words.dropLast().joined(separator: " ").prefix(28)), cents: price))
        isTotal = false
        firstRow = max(firstRow, items.count - rows)
    }

    private func expect(_ isSo: Bool, _ what: String) throws(Fault) {
        guard isSo else { throw Fault(description: "expected: \(what)") }
    }

    private func digits(_ text: String, _ example: String) throws(Fault) -> String {
        try expect(text.count <= 24 && text.allSatisfy { $0.isASCII && $0.isNumber }, example)
        return text
    }

    private func isOn(_ words: ArraySlice<String>, _ example: String) throws(Fault) -> Bool {
        try expect(["on", "off"].contains(words.first), example)
        return words.first == "on"
    }

    /// Of a price such as 1.19.
    static func cents(_ text: String) -> Int? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 2, let euros = Int(parts[0]), let cents = Int(parts[1]),
            (0..<10_000).contains(euros), cents >= 0
        else { return nil }
        return euros * 100 + cents
    }

    static func price(_ cents: Int) -> String {
        "\(cents / 100).\(cents % 100 < 10 ? "0" : "")\(cents % 100)"
    }
}
