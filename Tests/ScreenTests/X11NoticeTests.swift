import CXCB
import Foundation
import Loop
import Testing

@testable import Screen

/// The notice on a real X server: seen, above all, touched by nobody, gone when it has to.
@Suite(.serialized, .timeLimit(.minutes(2))) struct X11NoticeTests {
    private static let size = PixelSize(width: 320, height: 200)
    private static let amber: UInt32 = 0xFFB300

    /// How many amber and how many black pixels the screen has in `rows`.
    private func seen(_ painter: X11Painter, _ rows: Range<Int>) -> (amber: Int, black: Int) {
        let pixels = painter.pixels(Self.size)
        guard pixels.count == Self.size.width * Self.size.height else { return (-1, -1) }
        let part = pixels[rows.lowerBound * Self.size.width..<rows.upperBound * Self.size.width]
        return (part.filter { $0 == Self.amber }.count, part.filter { $0 == 0 }.count)
    }

    private func isThere(_ painter: X11Painter, atBottom: Bool = false) -> Bool {
        let rows = atBottom ? Self.size.height - 40..<Self.size.height : 0..<40
        return seen(painter, rows).amber > 1000
    }

    /// A window of another program over all of the screen, as a till that is full screen.
    private func cover(_ painter: X11Painter, overridesRedirect: Bool = true) -> xcb_window_t {
        let window = xcb_generate_id(painter.raw)
        let values: [UInt32] = [0x123456, overridesRedirect ? 1 : 0]
        xcb_create_window(
            painter.raw, 0, window, painter.root, 0, 0, 320, 200, 0,
            UInt16(XCB_WINDOW_CLASS_INPUT_OUTPUT.rawValue), 0,
            XCB_CW_BACK_PIXEL.rawValue | XCB_CW_OVERRIDE_REDIRECT.rawValue, values)
        xcb_map_window(painter.raw, window)
        painter.synchronise()
        return window
    }

    @Test(arguments: [false, true]) func itIsSeenAndGone(_ atBottom: Bool) throws {
        let bed = try X11Bed("320x200x24")
        let painter = try X11Painter(bed.display)
        painter.fill(Self.size.bounds, 0x336699)
        let notice = try X11Notice(bed.screen, isAtBottom: atBottom)
        notice.show("This lane is being viewed by an attendant")
        painter.settle { isThere(painter, atBottom: atBottom) }
        #expect(notice.isShown && notice.fault == nil)
        let rows = atBottom ? 160..<200 : 0..<40
        let viewed = seen(painter, rows)
        #expect(viewed.black > 100, "its letters")
        #expect(!isThere(painter, atBottom: !atBottom))
        // As wide as its words, not as the screen.
        #expect(painter.pixels(Self.size)[(atBottom ? 195 : 5) * 320 + 3] != Self.amber)
        // Other words.
        notice.show("Controlled: größer, 日本")
        painter.settle {
            let now = seen(painter, rows)
            return now.amber > 500 && now != viewed
        }
        notice.show(nil)
        painter.settle { !isThere(painter, atBottom: atBottom) }
        painter.settle { !notice.isShown }
        notice.stop()
    }

    /// What is touched on it goes to what is below.
    @Test func itTakesNoInput() throws {
        let bed = try X11Bed("320x200x24")
        let painter = try X11Painter(bed.display)
        let below = cover(painter)
        let notice = try X11Notice(bed.screen)
        notice.show("This lane is being viewed by an attendant")
        painter.settle { isThere(painter) }
        xcb_warp_pointer(painter.raw, 0, painter.root, 0, 0, 0, 0, 160, 8)
        painter.synchronise()
        let reply = xcb_query_pointer_reply(painter.raw, xcb_query_pointer(painter.raw, painter.root), nil)
        defer { free(reply) }
        #expect(painter.pixels(Self.size)[1 * 320 + 160] == Self.amber)
        #expect(reply?.pointee.child == below, "the pointer is in the window below the notice")
        notice.stop()
        painter.settle { !isThere(painter) }
    }

    @Test func itComesBackAboveWhatCoversIt() throws {
        let bed = try X11Bed("320x200x24")
        let painter = try X11Painter(bed.display)
        let notice = try X11Notice(bed.screen)
        notice.show("This lane is being viewed by an attendant")
        painter.settle { isThere(painter) }
        var windows: [xcb_window_t] = []
        for _ in 0..<3 {
            windows.append(cover(painter))
            painter.settle { isThere(painter) }
        }
        // One that is there already is put above all.
        xcb_configure_window(
            painter.raw, windows[0], UInt16(XCB_CONFIG_WINDOW_STACK_MODE.rawValue), [XCB_STACK_MODE_ABOVE.rawValue])
        painter.synchronise()
        painter.settle { isThere(painter) }
        // Two that both want to be above do not keep each other and the server busy.
        let rival = try X11Notice(bed.screen)
        rival.show("This lane is being viewed by an attendant, says another")
        usleep(1_500_000)
        #expect(raises(painter, seconds: 1) < 12)
        rival.stop()
        notice.stop()
        painter.settle { !isThere(painter) }
    }

    /// How often windows were restacked meanwhile.
    private func raises(_ painter: X11Painter, seconds: Int64) -> Int {
        xcb_change_window_attributes(
            painter.raw, painter.root, XCB_CW_EVENT_MASK.rawValue, [XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY.rawValue])
        painter.synchronise()
        while let old = xcb_poll_for_event(painter.raw) { free(old) }
        usleep(UInt32(seconds * 1_000_000))
        painter.synchronise()
        var count = 0
        while let event = xcb_poll_for_event(painter.raw) {
            if Int32(event.pointee.response_type & 0x7F) == XCB_CONFIGURE_NOTIFY { count += 1 }
            free(event)
        }
        return count
    }

    @Test func itSurvivesARestartOfTheServer() throws {
        let bed = try X11Bed("320x200x24")
        let notice = try X11Notice(bed.screen)
        notice.show("This lane is being viewed by an attendant")
        do {
            let painter = try X11Painter(bed.display)
            painter.settle { isThere(painter) }
        }
        bed.stop()
        for _ in 0..<500 where notice.isShown { usleep(10_000) }
        #expect(!notice.isShown)
        try bed.start()
        let painter = try X11Painter(bed.display)
        for _ in 0..<2000 where !notice.isShown { usleep(10_000) }
        painter.settle { isThere(painter) }
        notice.stop()
        painter.settle { !isThere(painter) }
    }

    /// Without a server it waits for one, and says once why.
    @Test func withoutAServerItSaysWhyAndEnds() throws {
        let notice = try X11Notice(X11Screen(display: ":59998"))
        notice.show("nobody sees it")
        for _ in 0..<500 where notice.fault == nil { usleep(10_000) }
        #expect(notice.fault?.code == .unreachable && !notice.isShown)
        notice.stop()
    }
}
