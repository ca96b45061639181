import CXCB
import Foundation
import Loop
import Synchronization
import Testing

@testable import Screen

/// Masks that follow windows: wherever a window goes, none of its pixels is ever in the frame that attendants see.
@Suite(.serialized, .timeLimit(.minutes(3))) struct X11WindowsTests {
    private static let secret: UInt32 = 0xc0ffee
    private static let pinEntry = MaskPlan.WindowMatch.windowClass("PinEntry")

    /// A window full of a colour that is nowhere else, alone on the root, or within another as a window manager has it.
    private final class SecretWindow {
        private let painter: X11Painter
        private let frame: xcb_window_t?
        private let window: xcb_window_t
        private var moved: xcb_window_t { frame ?? window }

        init(_ painter: X11Painter, at place: PixelRect, isFramed: Bool, name: MaskPlan.WindowMatch = pinEntry) {
            self.painter = painter
            frame = isFramed ? Self.make(painter, painter.root, place, 0x333333) : nil
            let inside = PixelRect(x: 4, y: 20, width: place.width - 8, height: place.height - 24)
            window = Self.make(painter, frame ?? painter.root, isFramed ? inside : place, secret)
            switch name {
            case .windowClass(let name):
                let bytes = Array("pin\0\(name)\0".utf8)
                Self.set(painter, window, XCB_ATOM_WM_CLASS.rawValue, bytes)
            case .title(let title): Self.set(painter, window, XCB_ATOM_WM_NAME.rawValue, Array(title.utf8))
            }
        }

        private static func make(
            _ painter: X11Painter, _ parent: xcb_window_t, _ place: PixelRect, _ colour: UInt32
        ) -> xcb_window_t {
            let window: xcb_window_t = xcb_generate_id(painter.raw)
            xcb_create_window(
                painter.raw, 0, window, parent, Int16(place.x), Int16(place.y), UInt16(place.width),
                UInt16(place.height), 0, UInt16(XCB_WINDOW_CLASS_INPUT_OUTPUT.rawValue), 0,
                XCB_CW_BACK_PIXEL.rawValue | XCB_CW_OVERRIDE_REDIRECT.rawValue, [colour, 1])
            return window
        }

        private static func set(_ painter: X11Painter, _ window: xcb_window_t, _ name: xcb_atom_t, _ bytes: [UInt8]) {
            xcb_change_property(
                painter.raw, UInt8(XCB_PROP_MODE_REPLACE.rawValue), window, name, XCB_ATOM_STRING.rawValue, 8,
                UInt32(bytes.count), bytes)
        }

        func show() {
            if frame != nil { xcb_map_window(painter.raw, window) }
            xcb_map_window(painter.raw, moved)
            painter.flush()
        }

        func hide() {
            xcb_unmap_window(painter.raw, moved)
            painter.flush()
        }

        func move(toX x: Int, y: Int) {
            let place = [UInt32(bitPattern: Int32(x)), UInt32(bitPattern: Int32(y))]
            xcb_configure_window(
                painter.raw, moved, UInt16(XCB_CONFIG_WINDOW_X.rawValue | XCB_CONFIG_WINDOW_Y.rawValue), place)
            painter.flush()
        }

        func resize(width: Int, height: Int) {
            let size = [UInt32(width), UInt32(height)]
            xcb_configure_window(
                painter.raw, window, UInt16(XCB_CONFIG_WINDOW_WIDTH.rawValue | XCB_CONFIG_WINDOW_HEIGHT.rawValue), size)
            painter.flush()
        }
    }

    /// Looks at the frame again and again, on a thread of its own.
    private final class Spy: Sendable {
        private struct State {
            var isOver = false
            var hasEnded = false
            var looks = 0
            var seen = 0
            var black = 0
        }
        private let state = Mutex(State())

        init(_ capture: Capture) {
            startThread(name: "spy") { [self] in
                while !state.withLock({ $0.isOver }) {
                    if let frame = capture.frame { look(frame) }
                    usleep(300)
                }
                state.withLock { $0.hasEnded = true }
            }
        }

        /// In C, by a byte that no other colour here has: fast enough to look between two writes of the capture.
        private func look(_ frame: MaskedFrame) {
            let pixels = X11WindowsTests.pixels(frame)
            let hasSecret = memchr(pixels, Int32(secret & 255), pixels.count * 4) != nil
            // All is as the pixel before it, and the first one is black.
            let isBlack = pixels.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress, pixels[0] == 0 else { return false }
                return memcmp(base, base + 4, bytes.count - 4) == 0
            }
            state.withLock { state in
                state.looks += 1
                if hasSecret { state.seen += 1 }
                if isBlack { state.black += 1 }
            }
        }

        func end() -> (looks: Int, seen: Int, black: Int) {
            state.withLock { $0.isOver = true }
            for _ in 0..<1000 where !state.withLock({ $0.hasEnded }) { usleep(10_000) }
            return state.withLock { ($0.looks, $0.seen, $0.black) }
        }
    }

    private static func pixels(_ frame: MaskedFrame) -> [UInt32] {
        var pixels = [UInt32](repeating: 0, count: frame.size.width * frame.size.height)
        pixels.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { frame.copy([frame.size.bounds], to: base) }
        }
        return pixels
    }

    private func settle(_ what: String, _ found: () -> String = { "" }, _ isSo: () -> Bool) throws {
        let deadline = Boottime.milliseconds() + 30_000
        while !isSo() {
            try #require(Boottime.milliseconds() < deadline, "it did not come: \(what) \(found())")
            usleep(5000)
        }
    }

    private func capture(
        _ screen: X11Screen, _ plan: MaskPlan, made: Made? = nil, masked: @escaping @Sendable () -> Void = {}
    ) throws -> Capture {
        let windows = plan.windows
        return try Capture(mask: plan.mask([:]), masked: masked) { () throws(ScreenError) in
            let source = try X11Source(screen, following: windows)
            made?.source = source
            return source
        }
    }

    /// A capture's source, to be looked at while nothing happens.
    private final class Made: @unchecked Sendable {
        var source: X11Source?
    }

    private func plan(_ match: MaskPlan.WindowMatch, _ area: PixelRect? = nil) -> MaskPlan {
        MaskPlan(
            entries: [.init(window: match, area: .init(area), reason: "a PIN is entered")], unknown: .none)
    }

    /// Red below, and painted again by its owner some time after it was uncovered, as programs do.
    private func paint(_ painter: X11Painter) {
        painter.fill(PixelRect(x: 0, y: 0, width: 640, height: 480), 0xaa0000)
    }

    @Test(arguments: [false, true])
    func noPixelOfAMovingWindowIsEverShown(isFramed: Bool) throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        paint(painter)
        let made = Made()
        let capture = try capture(bed.screen, plan(Self.pinEntry), made: made)
        defer { capture.stop() }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        try settle("the picture") { capture.frame.map { Self.pixels($0)[0] & 0xffffff == 0xaa0000 } ?? false }
        let spy = Spy(capture)
        let window = SecretWindow(
            painter, at: PixelRect(x: 50, y: 50, width: 200, height: 100), isFramed: isFramed)
        for round in 0..<150 {
            window.show()
            for _ in 0..<Int.random(in: 0...6) {
                window.move(toX: Int.random(in: -50..<600), y: Int.random(in: -50..<440))
                if Bool.random() { window.resize(width: Int.random(in: 10...300), height: Int.random(in: 10...200)) }
                usleep(UInt32.random(in: 0..<3000))
            }
            if round % 3 == 0 {
                window.hide()
                usleep(UInt32.random(in: 0..<30_000))
                paint(painter)
            }
        }
        window.move(toX: 300, y: 200)
        window.resize(width: 100, height: 80)
        // The server has left its own background wherever the window was.
        painter.fill(PixelRect(x: 0, y: 0, width: 200, height: 100), 0xaa0000)
        painter.synchronise()
        // At rest nothing but the window is hidden.
        let (left, top) = isFramed ? (304, 220) : (300, 200)
        let place = PixelRect(x: left, y: top, width: 100, height: 80)
        try settle("the mask of the window alone", { "\(capture.mask) \(capture.counts)" }) {
            capture.mask.areas == [Mask.Area(place)]
        }
        #expect(capture.mask.reasons == ["a PIN is entered"])
        try settle("the picture around it") {
            guard let frame = capture.frame else { return false }
            let pixels = Self.pixels(frame)
            return pixels[10 * 640 + 10] & 0xffffff == 0xaa0000 && pixels[(top + 40) * 640 + left + 50] == 0
        }
        // Nor does the source have any of it, now that it is known where it is.
        let source = try #require(made.source)
        let segment = try #require(source.segment)
        try settle("a source that has forgotten it") {
            let shared = UnsafeRawBufferPointer(start: segment.memory, count: SharedSegment.bytes)
            return !source.pixels.contains(Self.secret)
                && !shared.bindMemory(to: UInt32.self).contains { $0 & 0xffffff == Self.secret }
        }
        let found = spy.end()
        #expect(found.seen == 0, "in looks, of \(found.looks); \(found.black) were black")
        // Black is for moments alone.
        #expect(found.black < found.looks / 2, "\(found)")
        #expect(found.looks > 500)
    }

    /// What the tests look for is there to be found: with the mask of another window, each look has it.
    @Test func aMaskOfAnotherWindowIsCaught() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        paint(painter)
        let capture = try capture(bed.screen, plan(.windowClass("Another")))
        defer { capture.stop() }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let window = SecretWindow(painter, at: PixelRect(x: 50, y: 50, width: 200, height: 100), isFramed: true)
        window.show()
        try settle("the secret") {
            capture.frame.map { Self.pixels($0).contains { $0 & 0xffffff == Self.secret } } ?? false
        }
    }

    @Test func aPartOfAWindowIsFoundByItsTitle() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        paint(painter)
        let part = PixelRect(x: 10, y: 20, width: 500, height: 30)
        let capture = try capture(bed.screen, plan(.title("Kundenkarte für alle"), part))
        defer { capture.stop() }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        try settle("the picture") { capture.frame != nil && capture.mask.areas.isEmpty }
        let window = SecretWindow(
            painter, at: PixelRect(x: 100, y: 60, width: 200, height: 100), isFramed: false,
            name: .title("Kundenkarte"))
        window.show()
        painter.synchronise()
        usleep(200_000)
        #expect(capture.mask.areas.isEmpty, "the whole title counts")
        let other = SecretWindow(
            painter, at: PixelRect(x: 300, y: 200, width: 200, height: 100), isFramed: false,
            name: .windowClass("pin"))
        other.show()
        #expect(X11Windows.fits(.title("für"), [[], Array("f\u{fc}r".unicodeScalars.map { UInt8($0.value) }), []]))
        #expect(X11Windows.fits(.title("für"), [[], [], Array("für".utf8)]))
        #expect(X11Windows.fits(.windowClass("pin"), [Array("pin\0PinEntry\0".utf8), [], []]))
        #expect(!X11Windows.fits(.windowClass("Pin"), [Array("pin\0PinEntry\0".utf8), [], []]))
    }

    /// A window that has gone stays hidden until those below it had time to paint.
    @Test func aPlaceThatWasLeftStaysHiddenForAWhile() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        paint(painter)
        // Nothing paints here but a program: the server leaves what was above.
        let below: xcb_window_t = xcb_generate_id(painter.raw)
        xcb_create_window(
            painter.raw, 0, below, painter.root, 0, 0, 640, 480, 0, UInt16(XCB_WINDOW_CLASS_INPUT_OUTPUT.rawValue), 0,
            XCB_CW_OVERRIDE_REDIRECT.rawValue, [1])
        xcb_map_window(painter.raw, below)
        paint(painter)
        let told = Told()
        let capture = try capture(bed.screen, plan(Self.pinEntry)) { told.count.withLock { $0 += 1 } }
        defer { capture.stop() }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let place = PixelRect(x: 50, y: 50, width: 200, height: 100)
        let window = SecretWindow(painter, at: place, isFramed: false)
        let spy = Spy(capture)
        for _ in 0..<3 {
            window.show()
            try settle("its mask") { capture.mask.areas == [Mask.Area(place)] }
            window.hide()
            painter.synchronise()
            // It is still on the screen.
            #expect(painter.pixels(PixelSize(width: 640, height: 480))[100 * 640 + 100] == Self.secret)
            usleep(100_000)
            paint(painter)
            try settle("the end of its mask") { capture.mask.areas.isEmpty }
        }
        #expect(spy.end().seen == 0)
        // That it is hidden, and that it is not any more: each is told, for the page.
        #expect(told.count.withLock { $0 } >= 6)
    }

    private final class Told: Sendable {
        let count = Mutex(0)
    }
}
