import CLinux
import CXCB
import Foundation
import Testing

@testable import Screen

/// Debian's `xev` with its window under the pointer: an X program that is not ours, and says what it understood of a key.
final class X11Listener {
    private let process = Process()
    private let output = Pipe()
    private let painter: X11Painter
    private var text = ""

    init(_ bed: X11Bed) throws {
        painter = try X11Painter(bed.display)
        process.executableURL = URL(fileURLWithPath: "/usr/bin/stdbuf")
        process.arguments = ["-oL", "xev", "-geometry", "300x200+0+0", "-event", "keyboard"]
        process.environment = ["DISPLAY": bed.display, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<1000 where !isShown { usleep(10_000) }
        try #require(isShown)
        xcb_warp_pointer(painter.raw, 0, painter.root, 0, 0, 0, 0, 100, 100)
        painter.synchronise()
    }

    deinit {
        // It may have inherited a mask that blocks SIGTERM.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    private var isShown: Bool {
        guard let tree = xcb_query_tree_reply(painter.raw, xcb_query_tree(painter.raw, painter.root), nil) else {
            return false
        }
        defer { free(tree) }
        let windows = UnsafeBufferPointer(
            start: xcb_query_tree_children(tree), count: Int(xcb_query_tree_children_length(tree)))
        return windows.contains { window in
            let reply = xcb_get_window_attributes_reply(
                painter.raw, xcb_get_window_attributes(painter.raw, window), nil)
            defer { free(reply) }
            return reply?.pointee.map_state == UInt8(XCB_MAP_STATE_VIEWABLE.rawValue)
        }
    }

    /// The keysyms of the next `count` keys pressed that are no modifiers, as the program took them.
    func typed(_ count: Int) -> [UInt32] {
        for _ in 0..<200 where keys.count < count { read() }
        // What is too much comes at once after it.
        if keys.count == count { read(milliseconds: 50) }
        defer { text = "" }
        return keys
    }

    private func read(milliseconds: Int32 = 100) {
        let handle = output.fileHandleForReading
        var waiting = pollfd(fd: handle.fileDescriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, milliseconds) > 0 else { return }
        text += String(decoding: handle.availableData, as: UTF8.self)
    }

    private var keys: [UInt32] {
        var keys: [UInt32] = []
        for event in text.components(separatedBy: "KeyPress event").dropFirst() {
            // Only whole ones: they end with the line of their text.
            guard event.contains("XmbLookupString"), let start = event.range(of: "(keysym 0x") else { continue }
            let digits = event[start.upperBound...].prefix { $0.isHexDigit }
            guard let keysym = UInt32(digits, radix: 16), !Keysym(keysym).isModifier else { continue }
            keys.append(keysym)
        }
        return keys
    }
}

extension X11Painter {
    /// The keys that are down, by code.
    var keysDown: [Int] {
        guard let reply = xcb_query_keymap_reply(raw, xcb_query_keymap(raw), nil) else { return [] }
        defer { free(reply) }
        let bits = withUnsafeBytes(of: reply.pointee.keys) { Array($0) }
        return (0..<256).filter { bits[$0 / 8] & 1 << UInt8($0 % 8) != 0 }
    }

    /// Where the pointer is, and the buttons and modifiers that are down.
    var pointer: (x: Int, y: Int, mask: UInt16) {
        guard let reply = xcb_query_pointer_reply(raw, xcb_query_pointer(raw, root), nil) else { return (-1, -1, 0) }
        defer { free(reply) }
        return (Int(reply.pointee.root_x), Int(reply.pointee.root_y), reply.pointee.mask)
    }

    /// All keysyms that some key has.
    var keysyms: Set<UInt32> {
        guard let reply = xcb_get_keyboard_mapping_reply(raw, xcb_get_keyboard_mapping(raw, 8, 248), nil) else {
            return []
        }
        defer { free(reply) }
        return Set(
            UnsafeBufferPointer(
                start: xcb_get_keyboard_mapping_keysyms(reply),
                count: Int(xcb_get_keyboard_mapping_keysyms_length(reply))))
    }
}
