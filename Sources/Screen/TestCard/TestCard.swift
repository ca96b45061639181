import Glibc
import Loop

/// A screen without a screen: colour bars, the lane's name, and a bar that moves once a second. For demos without X, and to see
/// that a view works at all.
///
/// Costs one look a second while somebody watches.
public final class TestCard: FrameSource {
    public let size: PixelSize
    public var descriptor: Int32 { -1 }
    public private(set) var nextLook: Int64?

    private let pixels: PixelStore
    private var step = 0
    private var isShown = false
    /// The most steps that the moving bar makes until it begins anew.
    private static let steps = 60

    /// - Parameters:
    ///   - label: the lane's name, drawn as large as it fits; capital letters and digits.
    /// - Throws: `unsupported` for a size that cannot be shown, or one below 64x64.
    public init(size: PixelSize, label: String) throws(ScreenError) {
        guard size.isUsable, size.width >= 64, size.height >= 64 else {
            throw ScreenError(.unsupported, "a test card of \(size) pixels cannot be shown; it has at least 64x64")
        }
        self.size = size
        pixels = PixelStore(size: size, colour: 0x20_2020)
        drawBars()
        draw(label)
        nextLook = Boottime.monotonicNanoseconds()
    }

    public func look() throws(ScreenError) -> ScreenChange {
        let now = Boottime.monotonicNanoseconds()
        var change = ScreenChange()
        if !isShown {
            isShown = true
            change.damage.add(size.bounds)
        }
        guard let due = nextLook, due <= now else { return change }
        // On whole seconds, whatever was missed.
        nextLook = (now / 1_000_000_000 + 1) * 1_000_000_000
        step = Int(now / 1_000_000_000) % Self.steps
        fill(track, 0x20_2020)
        let mark = PixelRect(
            x: track.x, y: track.y, width: max(1, track.width * (step + 1) / Self.steps), height: track.height)
        fill(mark, 0x40_c0_40)
        change.damage.add(track)
        return change
    }

    public func withFrame<R>(_ body: (borrowing RawFrame) -> R) -> R { pixels.withFrame(body) }

    /// Where the bar moves: the lowest sixteenth.
    private var track: PixelRect {
        let height = max(4, size.height / 16)
        return PixelRect(x: 0, y: size.height - height, width: size.width, height: height)
    }

    private func drawBars() {
        let colours: [UInt32] = [
            0xff_ffff, 0xff_ff00, 0x00_ffff, 0x00_ff00, 0xff_00ff, 0xff_0000, 0x00_00ff, 0x00_0000,
        ]
        for (place, colour) in colours.enumerated() {
            let left = size.width * place / colours.count
            let right = size.width * (place + 1) / colours.count
            fill(PixelRect(x: left, y: 0, width: right - left, height: size.height / 2), colour)
        }
        // Grey from black to white: what a viewer's few bits make of it is seen at once.
        let ramp = PixelRect(x: 0, y: size.height / 2, width: size.width, height: size.height / 8)
        for x in ramp.x..<ramp.right {
            let grey = UInt32(x * 255 / max(1, ramp.width - 1))
            fill(PixelRect(x: x, y: ramp.y, width: 1, height: ramp.height), grey << 16 | grey << 8 | grey)
        }
    }

    private func draw(_ label: String) {
        let letters = Array(label.prefix(32))
        guard !letters.isEmpty else { return }
        let room = PixelRect(x: 0, y: size.height * 5 / 8, width: size.width, height: track.y - size.height * 5 / 8)
        let scale = max(1, min(room.width / (letters.count * TinyFont.advance), room.height / (TinyFont.height + 2)))
        let left = (size.width - letters.count * TinyFont.advance * scale) / 2
        let top = room.y + (room.height - TinyFont.height * scale) / 2
        for (place, letter) in letters.enumerated() {
            for (row, bits) in TinyFont.rows(of: letter).enumerated() {
                for column in 0..<TinyFont.width where bits & (1 << (TinyFont.width - 1 - column)) != 0 {
                    let x = left + (place * TinyFont.advance + column) * scale
                    fill(PixelRect(x: x, y: top + row * scale, width: scale, height: scale), 0xff_ffff)
                }
            }
        }
    }

    private func fill(_ rect: PixelRect, _ colour: UInt32) { pixels.fill(rect, colour) }
}
