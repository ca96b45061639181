import CXCB
import Glibc

/// A window over all of an X server's screen, drawn by putting pictures into it.
final class KioskWindow {
    enum Event: Hashable {
        case exposed
        case resized(width: Int, height: Int)
        case touched(x: Int, y: Int)
        case released
    }

    let raw: OpaquePointer
    private(set) var width: Int
    private(set) var height: Int
    private let root: xcb_window_t
    private let depth: UInt8
    private let window: xcb_window_t
    private let context: xcb_gcontext_t
    private let mostBytes: Int

    /// Nil where there is no X server, or its pixels are not of 24 bits in 32.
    init?(display: String?) {
        guard let raw = xcb_connect(display, nil), xcb_connection_has_error(raw) == 0, let setup = xcb_get_setup(raw)
        else { return nil }
        let screen = xcb_setup_roots_iterator(setup).data.pointee
        guard screen.root_depth == 24 else { return nil }
        self.raw = raw
        (root, depth) = (screen.root, screen.root_depth)
        (width, height) = (Int(screen.width_in_pixels), Int(screen.height_in_pixels))
        window = xcb_generate_id(raw)
        context = xcb_generate_id(raw)
        // Words of four bytes; the request's own header comes on top.
        mostBytes = min(Int(xcb_get_maximum_request_length(raw)) * 4 - 64, 1 << 20)
        let events =
            XCB_EVENT_MASK_EXPOSURE.rawValue | XCB_EVENT_MASK_BUTTON_PRESS.rawValue
            | XCB_EVENT_MASK_BUTTON_RELEASE.rawValue
        // In the order of the bits: no window manager's business, events.
        xcb_create_window(
            raw, UInt8(XCB_COPY_FROM_PARENT), window, root, 0, 0, UInt16(width), UInt16(height), 0,
            UInt16(XCB_WINDOW_CLASS_INPUT_OUTPUT.rawValue), screen.root_visual,
            XCB_CW_OVERRIDE_REDIRECT.rawValue | XCB_CW_EVENT_MASK.rawValue, [1, events])
        xcb_create_gc(raw, context, window, XCB_GC_GRAPHICS_EXPOSURES.rawValue, [0])
        xcb_change_window_attributes(
            raw, root, XCB_CW_EVENT_MASK.rawValue, [XCB_EVENT_MASK_STRUCTURE_NOTIFY.rawValue])
        let title = "Lanewatch demo till"
        xcb_change_property(
            raw, UInt8(XCB_PROP_MODE_REPLACE.rawValue), window, XCB_ATOM_WM_NAME.rawValue, XCB_ATOM_STRING.rawValue, 8,
            UInt32(title.utf8.count), title)
        xcb_map_window(raw, window)
        xcb_flush(raw)
    }

    deinit { xcb_disconnect(raw) }

    var descriptor: Int32 { xcb_get_file_descriptor(raw) }
    var isGone: Bool { xcb_connection_has_error(raw) != 0 }

    func nextEvent() -> Event? {
        while let event = xcb_poll_for_event(raw) {
            defer { free(event) }
            let bytes = UnsafeRawPointer(event)
            switch Int32(event.pointee.response_type & 0x7f) {
            case XCB_EXPOSE: return .exposed
            case XCB_BUTTON_PRESS:
                let press = bytes.assumingMemoryBound(to: xcb_button_press_event_t.self).pointee
                return .touched(x: Int(press.event_x), y: Int(press.event_y))
            case XCB_BUTTON_RELEASE: return .released
            case XCB_CONFIGURE_NOTIFY:
                let change = bytes.assumingMemoryBound(to: xcb_configure_notify_event_t.self).pointee
                guard change.window == root, (Int(change.width), Int(change.height)) != (width, height) else {
                    continue
                }
                (width, height) = (Int(change.width), Int(change.height))
                xcb_configure_window(
                    raw, window, UInt16(XCB_CONFIG_WINDOW_WIDTH.rawValue | XCB_CONFIG_WINDOW_HEIGHT.rawValue),
                    [UInt32(width), UInt32(height)])
                return .resized(width: width, height: height)
            default: continue
            }
        }
        return nil
    }

    /// Puts that part of `canvas` on the screen.
    func put(_ rect: Canvas.Rect, of canvas: Canvas) {
        let rows = max(1, mostBytes / (rect.width * 4))
        for top in stride(from: rect.y, to: rect.bottom, by: rows) {
            let part = Canvas.Rect(x: rect.x, y: top, width: rect.width, height: min(rows, rect.bottom - top))
            canvas.bytes(part).withUnsafeBytes { bytes in
                _ = xcb_put_image(
                    raw, UInt8(XCB_IMAGE_FORMAT_Z_PIXMAP.rawValue), window, context, UInt16(part.width),
                    UInt16(part.height), Int16(part.x), Int16(part.y), 0, depth, UInt32(bytes.count),
                    bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
            }
        }
    }

    func moveUp(_ rect: Canvas.Rect, by rows: Int) {
        xcb_copy_area(
            raw, window, window, context, Int16(rect.x), Int16(rect.y + rows), Int16(rect.x), Int16(rect.y),
            UInt16(rect.width), UInt16(rect.height - rows))
    }

    func flush() { _ = xcb_flush(raw) }

    /// Returns when the server has drawn all.
    func synchronise() { free(xcb_get_input_focus_reply(raw, xcb_get_input_focus(raw), nil)) }
}
