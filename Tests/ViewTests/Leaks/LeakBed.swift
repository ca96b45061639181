import Glibc
import Loop
import RFBClient
import Screen
import Synchronization
import Testing

@testable import View

/// A lane whose screen holds a secret while its state hides it, and viewers of every kind that come, watch and go.
///
/// The secret is red. Nothing else on the screen ever is, nor is it bright: so whatever a viewer decodes that is red, in whatever format, by whatever
/// encoding, moved, blurred or as its pointer, is of the secret.
final class LeakBed: Sendable {
    static let size = PixelSize(width: 160, height: 120)
    /// Where the secret is drawn.
    static let place = PixelRect(x: 48, y: 40, width: 64, height: 40)
    static let mark = PixelRect(x: 0, y: 0, width: 8, height: 8)

    /// States of the lane, and what they hide: in all but `free` the secret's place is hidden.
    static let plan = MaskPlan(
        entries: [
            entry("paying", nil), entry("card", Mask.Area(place)), entry("points", Mask.Area(place, style: .blur)),
            entry("wide", Mask.Area(PixelRect(x: 30, y: 20, width: 100, height: 90))),
            entry("both", Mask.Area(PixelRect(x: 48, y: 40, width: 40, height: 40), style: .blur)),
            entry("both", Mask.Area(PixelRect(x: 80, y: 30, width: 40, height: 60))),
        ])
    static let hiding: [String?] = ["paying", "card", "points", "wide", "both", nil]
    static let free = "open"

    private static func entry(_ value: String, _ area: Mask.Area?) -> MaskPlan.Entry {
        MaskPlan.Entry(
            terms: [.init(state: "basket", value: value)], area: area ?? Mask.Area(nil), reason: "basket is \(value)")
    }

    static let kinds: [(encodings: [Int], format: ClientFormat)] = [
        ([RFBClient.raw], .rgb888), ([RFBClient.raw, RFBClient.copyRect], .rgb565Big),
        ([RFBClient.hextile, RFBClient.copyRect, RFBClient.cursor], .bgr233),
        ([RFBClient.zlib, RFBClient.copyRect], .bgr888),
        ([RFBClient.tight, RFBClient.copyRect, RFBClient.lastRect], .rgb888),
        ([RFBClient.tight, RFBClient.cursor, MendTests.quality], .rgb888),
        ([RFBClient.tight, RFBClient.copyRect, -30], .rgb565),
        ([RFBClient.zrle, RFBClient.copyRect], .rgbx888Big), ([RFBClient.zrle, RFBClient.cursor], .bgr233),
    ]

    private struct State {
        var isOver = false
        /// The secret may be seen: it was drawn where nothing hides it.
        var isOpen = false
        var mark: UInt32 = 0
        /// Per viewer: whether it shows the mark, and whether there is red in its picture.
        var shown: [Int: (isMarked: Bool, hasRed: Bool)] = [:]
        var seen: [Int: Int] = [:]
        var faults: [String] = []
        var updates = 0
        var joins = 0
        var rectangles: [Int: Int] = [:]
        var jpegs = 0
        var gone = 0
    }

    let bed: ViewBed
    private let state = Mutex(State())

    init() throws { bed = try ViewBed(size: Self.size, mask: Self.plan.mask(["basket": Self.free])) }

    // MARK: What was found

    /// How many pictures with something of the secret in them each viewer decoded.
    var seen: [Int: Int] { state.withLock { $0.seen } }
    var faults: [String] { state.withLock { $0.faults } }
    var updates: Int { state.withLock { $0.updates } }
    var joins: Int { state.withLock { $0.joins } }
    var rectangles: [Int: Int] { state.withLock { $0.rectangles } }
    var jpegs: Int { state.withLock { $0.jpegs } }

    /// Lets the secret be seen, or no longer.
    func open(_ isOpen: Bool) { state.withLock { $0.isOpen = isOpen } }

    /// Draws a mark, which nothing may hide, and waits until all viewers show it and have nothing red left.
    func awaitClean() throws {
        let colour: UInt32 = state.withLock { state in
            // By turns: in every format another one than before.
            state.mark = state.mark == 0x00_7f00 ? 0x00_007f : 0x00_7f00
            state.shown = [:]
            return state.mark
        }
        bed.screen.fill(Self.mark, colour)
        try awaitTrue(seconds: 20, "a viewer still shows the secret") {
            state.withLock { state in
                state.shown.count == Self.kinds.count
                    && state.shown.values.allSatisfy { !$0.hasRed && $0.isMarked }
            }
        }
    }

    // MARK: Viewers

    func start() {
        for (number, kind) in Self.kinds.enumerated() {
            startThread(name: "viewer \(number)", stackBytes: 4 << 20) { [self] in
                var lot = SplitMix(seed: UInt64(number))
                do {
                    while !isOver { try watch(number, kind, Int.random(in: 100...400, using: &lot)) }
                } catch {
                    state.withLock { state in
                        if !state.isOver { state.faults.append("viewer \(number) \(kind.format): \(error)") }
                    }
                }
                state.withLock { $0.gone += 1 }
            }
        }
    }

    var isOver: Bool { state.withLock { $0.isOver } }

    /// From joining to leaving, after so many updates.
    private func watch(_ number: Int, _ kind: (encodings: [Int], format: ClientFormat), _ updates: Int) throws {
        let (_, viewer) = try bed.gate.admit(bed.attendants)
        let client = try RFBClient(owning: viewer, format: kind.format)
        try client.begin(encodings: kind.encodings)
        state.withLock { $0.joins += 1 }
        while client.updates < updates, !isOver {
            guard case .update? = try client.hear(milliseconds: 20) else { continue }
            let hasRed = Self.hasRed(client)
            let corner = client.picture[2, 2]
            state.withLock { state in
                state.updates += 1
                if hasRed, !state.isOpen { state.seen[number, default: 0] += 1 }
                state.shown[number] = (corner == kind.format.pixel(of: state.mark), hasRed)
            }
        }
        state.withLock { state in
            state.rectangles.merge(client.rectangles) { $0 + $1 }
            state.jpegs += client.jpegs
        }
    }

    static func hasRed(_ client: RFBClient) -> Bool {
        let (shift, most) = (client.format.shiftRed, client.format.mostRed)
        // Nothing else that is drawn comes near, however coarse the JPEG; the secret is far above.
        let least = most * 5 / 8
        func isRed(_ pixel: UInt32) -> Bool { pixel >> shift & most > least }
        if client.picture.pixels.contains(where: isRed) { return true }
        return client.pointer?.pixels.contains { $0.map(isRed) ?? false } ?? false
    }

    func stop() throws {
        state.withLock { $0.isOver = true }
        try awaitTrue(seconds: 30) { state.withLock { $0.gone } == Self.kinds.count }
        try bed.stop()
    }
}
