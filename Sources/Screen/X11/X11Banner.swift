import CXCB
import Glibc
import Loop

/// The window of an `X11Notice` and its connection. Of one thread; gone with this value.
final class X11Banner {
    /// Amber, and black on it; 16 bits a colour.
    private static let amber: (UInt16, UInt16, UInt16) = (0xFFFF, 0xB333, 0)
    /// Larger ones first. The last is built into every X server (X(7), "fixed").
    private static let fonts = [
        "-misc-fixed-bold-r-normal--18-*-iso10646-1", "-misc-fixed-medium-r-normal--20-*-iso10646-1", "10x20", "9x15",
        "fixed",
    ]
    private static let margin = 8
    /// Raised again this many milliseconds after it was at the earliest; the longer, the more often somebody else insists.
    private static let rest: ClosedRange<Int64> = 50...5000

    private let x: X11Connection
    private let output: String?
    private let isAtBottom: Bool
    private let window: xcb_window_t
    private let context: xcb_gcontext_t
    private let font: xcb_font_t
    private var text: [xcb_char2b_t] = []
    /// Of the text, from the left edge and down to the baseline.
    private var width = 0
    private var baseline = 0
    private var isCovered = false
    private var raisedAt: Int64 = 0
    private var rest = X11Banner.rest.lowerBound

    init(_ screen: X11Screen, isAtBottom: Bool, _ text: String) throws(ScreenError) {
        x = try X11Connection(screen)
        output = screen.output
        self.isAtBottom = isAtBottom
        // Without XFIXES it would take the customer's touches.
        guard x.extensions.cursorEvent != nil else {
            throw ScreenError(.unsupported, "\(x.address.sentence) has no XFIXES, which a notice needs")
        }
        window = xcb_generate_id(x.raw)
        context = xcb_generate_id(x.raw)
        font = try Self.open(x)
        try make()
        try say(text)
        xcb_map_window(x.raw, window)
        try x.synchronise()
    }

    var descriptor: Int32 { x.descriptor }

    private static func open(_ x: X11Connection) throws(ScreenError) -> xcb_font_t {
        let font = xcb_generate_id(x.raw)
        for name in fonts where try x.accepts(xcb_open_font_checked(x.raw, font, UInt16(name.utf8.count), name)) {
            return font
        }
        throw ScreenError(.unsupported, "\(x.address.sentence) has no font, not even \"fixed\"")
    }

    private func make() throws(ScreenError) {
        guard let place = screen else {
            throw ScreenError(.unreachable, "\(x.address.sentence) went away: another attempt comes by itself")
        }
        let (red, green, blue) = Self.amber
        let colour = xcb_alloc_color(x.raw, place.default_colormap, red, green, blue)
        let amber = try x.reply(colour.sequence, as: xcb_alloc_color_reply_t.self)?.value.pixel ?? place.white_pixel
        let events = XCB_EVENT_MASK_EXPOSURE.rawValue | XCB_EVENT_MASK_VISIBILITY_CHANGE.rawValue
        // In the order of the bits. Source: the X protocol, CreateWindow.
        let attributes = XCB_CW_BACK_PIXEL.rawValue | XCB_CW_OVERRIDE_REDIRECT.rawValue | XCB_CW_EVENT_MASK.rawValue
        xcb_create_window(
            x.raw, 0, window, x.root, 0, 0, 1, 1, 0, UInt16(XCB_WINDOW_CLASS_INPUT_OUTPUT.rawValue), 0, attributes,
            [amber, 1, events])
        for (property, value) in [(XCB_ATOM_WM_NAME, "Lanewatch notice"), (XCB_ATOM_WM_CLASS, "notice\0Lanewatch\0")] {
            xcb_change_property(
                x.raw, UInt8(XCB_PROP_MODE_REPLACE.rawValue), window, property.rawValue, XCB_ATOM_STRING.rawValue, 8,
                UInt32(value.utf8.count), value)
        }
        // No part of it takes input: 2 is ShapeInput. Source: X Nonrectangular Window Shape Extension 1.1; XFIXES 2.
        let none = xcb_generate_id(x.raw)
        xcb_xfixes_create_region(x.raw, none, 0, nil)
        xcb_xfixes_set_window_shape_region(x.raw, window, 2, 0, 0, none)
        xcb_xfixes_destroy_region(x.raw, none)
        let drawing =
            XCB_GC_FOREGROUND.rawValue | XCB_GC_BACKGROUND.rawValue | XCB_GC_FONT.rawValue
            | XCB_GC_GRAPHICS_EXPOSURES.rawValue
        xcb_create_gc(x.raw, context, window, drawing, [place.black_pixel, amber, font, 0])
        // The screen's size, and other windows that come or are put above.
        let rootEvents =
            XCB_EVENT_MASK_STRUCTURE_NOTIFY.rawValue | XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY.rawValue
        xcb_change_window_attributes(x.raw, x.root, XCB_CW_EVENT_MASK.rawValue, [rootEvents])
    }

    private var screen: xcb_screen_t? {
        guard let setup = xcb_get_setup(x.raw) else { return nil }
        var roots = xcb_setup_roots_iterator(setup)
        while roots.rem > 0 {
            if let place = roots.data?.pointee, place.root == x.root { return place }
            xcb_screen_next(&roots)
        }
        return nil
    }

    // MARK: What it says, and where

    func say(_ words: String) throws(ScreenError) {
        // Two bytes a character, the high one first, whatever font it is.
        text = words.utf16.map { xcb_char2b_t(byte1: UInt8($0 >> 8), byte2: UInt8($0 & 0xFF)) }
        text = Array(text.prefix(200))
        try place()
    }

    private func place() throws(ScreenError) {
        let cookie = xcb_query_text_extents(x.raw, font, UInt32(text.count), text)
        let extents = try x.reply(cookie.sequence, as: xcb_query_text_extents_reply_t.self)?.value
        width = Int(extents?.overall_width ?? 0)
        baseline = Int(extents?.font_ascent ?? 12) + Self.margin / 2
        let height = baseline + Int(extents?.font_descent ?? 4) + Self.margin / 2
        let area = try X11Outputs.area(x, output: output)
        let outer = min(width + 2 * Self.margin, area.width)
        let left = area.x + (area.width - outer) / 2
        let top = isAtBottom ? area.bottom - height : area.y
        let values =
            XCB_CONFIG_WINDOW_X.rawValue | XCB_CONFIG_WINDOW_Y.rawValue | XCB_CONFIG_WINDOW_WIDTH.rawValue
            | XCB_CONFIG_WINDOW_HEIGHT.rawValue | XCB_CONFIG_WINDOW_STACK_MODE.rawValue
        xcb_configure_window(
            x.raw, window, UInt16(values),
            [
                UInt32(bitPattern: Int32(left)), UInt32(bitPattern: Int32(top)), UInt32(max(1, outer)),
                UInt32(max(1, height)), XCB_STACK_MODE_ABOVE.rawValue,
            ])
        // All of it is drawn anew: an exposure follows.
        xcb_clear_area(x.raw, 1, window, 0, 0, 0, 0)
        try x.flush()
    }

    private func draw() {
        xcb_image_text_16(
            x.raw, UInt8(text.count), window, context, Int16(Self.margin), Int16(clamping: baseline), text)
    }

    /// Takes it off the screen.
    func vanish() throws(ScreenError) {
        xcb_destroy_window(x.raw, window)
        try x.synchronise()
    }

    // MARK: What happens to it

    /// Does what there is to do.
    /// - Returns: for how many milliseconds nothing is to do unless the server says something; -1 for ever.
    func follow() throws(ScreenError) -> Int32 {
        var hasMoved = false
        for _ in 0..<256 {
            guard let event = xcb_poll_for_event(x.raw) else { break }
            defer { free(event) }
            try take(event, &hasMoved)
        }
        try x.throwIfGone()
        if hasMoved { try place() }
        let wait = raise()
        try x.flush()
        return wait
    }

    private func take(_ event: UnsafeMutablePointer<xcb_generic_event_t>, _ hasMoved: inout Bool) throws(ScreenError) {
        let raw = UnsafeRawPointer(event)
        switch Int32(event.pointee.response_type & 0x7F) {
        case XCB_EXPOSE: draw()
        case XCB_VISIBILITY_NOTIFY:
            let state = raw.assumingMemoryBound(to: xcb_visibility_notify_event_t.self).pointee.state
            isCovered = UInt32(state) != XCB_VISIBILITY_UNOBSCURED.rawValue
        case XCB_CONFIGURE_NOTIFY:
            let notify = raw.assumingMemoryBound(to: xcb_configure_notify_event_t.self).pointee
            if notify.window == x.root { hasMoved = true } else if notify.window != window { isCovered = true }
        case XCB_MAP_NOTIFY:
            // Under a compositor nothing is ever covered, as far as the server tells.
            let notify = raw.assumingMemoryBound(to: xcb_map_notify_event_t.self).pointee
            if notify.window != window { isCovered = true }
        case XCB_CIRCULATE_NOTIFY: isCovered = true
        case XCB_DESTROY_NOTIFY:
            let notify = raw.assumingMemoryBound(to: xcb_destroy_notify_event_t.self).pointee
            if notify.window == window {
                throw ScreenError(.unreachable, "somebody destroyed the notice's window: it is made anew")
            }
        default: break
        }
    }

    /// Above all again, if it may be covered. Two that both want to be above would never come to rest: so it gives way for longer each
    /// time.
    private func raise() -> Int32 {
        guard isCovered else { return -1 }
        let now = Boottime.monotonicNanoseconds() / 1_000_000
        if now - raisedAt > Self.rest.upperBound { rest = Self.rest.lowerBound }
        guard now - raisedAt >= rest else { return Int32(clamping: rest - (now - raisedAt)) }
        isCovered = false
        raisedAt = now
        rest = min(rest * 2, Self.rest.upperBound)
        xcb_configure_window(
            x.raw, window, UInt16(XCB_CONFIG_WINDOW_STACK_MODE.rawValue), [XCB_STACK_MODE_ABOVE.rawValue])
        return -1
    }
}
