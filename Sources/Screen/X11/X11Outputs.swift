import CXCB

/// What of a root window is shown: all of it, or what one output shows.
struct X11Outputs {
    struct Output: Hashable {
        var name: String
        /// In the root's coordinates, turned as the output is; nil where it is off.
        var area: PixelRect?
    }

    /// The area of `screen` in the coordinates of its root window, as it is now.
    /// - Throws: `unreachable` where the output is off; `unsupported` where there is none of its name.
    static func area(_ x: X11Connection, output name: String?) throws(ScreenError) -> PixelRect {
        let root = try rootSize(x)
        guard let name else { return root.bounds }
        let outputs = try all(x)
        guard let output = outputs.first(where: { $0.name == name }) else {
            let known = outputs.isEmpty ? "none, as far as it says" : outputs.map(\.name).joined(separator: ", ")
            throw ScreenError(
                .unsupported, "\(x.address.sentence) has no output \"\(name)\"; it has: \(known)")
        }
        let area = output.area.map { $0.intersection(root.bounds) } ?? .empty
        guard !area.isEmpty else {
            throw ScreenError(.unreachable, "\(x.address.sentence): the output \(name) is off")
        }
        return area
    }

    static func all(_ x: X11Connection) throws(ScreenError) -> [Output] {
        guard x.extensions.randrEvent != nil else { return [] }
        let cookie = xcb_randr_get_screen_resources_current(x.raw, x.root)
        let reply = try x.reply(cookie.sequence, as: xcb_randr_get_screen_resources_current_reply_t.self)
        guard let reply else { return [] }
        let ids = UnsafeBufferPointer(
            start: xcb_randr_get_screen_resources_current_outputs(reply.pointer),
            count: Int(xcb_randr_get_screen_resources_current_outputs_length(reply.pointer)))
        let time = reply.value.config_timestamp
        var outputs: [Output] = []
        for id in ids.prefix(64) { if let output = try one(x, id, time) { outputs.append(output) } }
        return outputs
    }

    private static func one(
        _ x: X11Connection, _ id: xcb_randr_output_t, _ time: xcb_timestamp_t
    ) throws(ScreenError) -> Output? {
        let cookie = xcb_randr_get_output_info(x.raw, id, time)
        guard let reply = try x.reply(cookie.sequence, as: xcb_randr_get_output_info_reply_t.self) else { return nil }
        let bytes = UnsafeBufferPointer(
            start: xcb_randr_get_output_info_name(reply.pointer),
            count: Int(xcb_randr_get_output_info_name_length(reply.pointer)))
        var output = Output(name: String(decoding: bytes, as: UTF8.self))
        guard reply.value.crtc != 0 else { return output }
        let crtc = xcb_randr_get_crtc_info(x.raw, reply.value.crtc, time)
        if let found = try x.reply(crtc.sequence, as: xcb_randr_get_crtc_info_reply_t.self), found.value.mode != 0 {
            let place = found.value
            output.area = PixelRect(
                x: Int(place.x), y: Int(place.y), width: Int(place.width), height: Int(place.height))
        }
        return output
    }

    private static func rootSize(_ x: X11Connection) throws(ScreenError) -> PixelSize {
        let reply = try x.reply(xcb_get_geometry(x.raw, x.root).sequence, as: xcb_get_geometry_reply_t.self)
        guard let reply else {
            throw ScreenError(.unreachable, "\(x.address.sentence) does not tell the size of its screen")
        }
        return PixelSize(width: Int(reply.value.width), height: Int(reply.value.height))
    }
}
