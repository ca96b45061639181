import CXCB
import Glibc
import Loop

/// An X server's core keyboard and pointer, moved by XTEST.
///
/// Motions and buttons are sent without waiting; a key that is pressed asks first which modifiers are in force, the customer's own
/// keyboard included. Source: the XTEST extension's protocol.
final class X11Keyboard {
    enum Outcome: Hashable {
        case pressed(UInt8)
        /// Not on the layout, and no free key left to lend.
        case notOnLayout
        case notAllowed
    }

    static let mostLent = 8

    let x: X11Connection
    private let output: String?
    private var area: PixelRect
    private var map: KeyboardMap
    private var isMapStale = false
    private var isAreaStale = false
    /// How often each key is held, by whichever session.
    private var holders: [UInt8: Int] = [:]
    /// Free keys that were given a meaning, those lent last at the end.
    private var lent: [(code: UInt8, keysym: Keysym)] = []

    init(_ screen: X11Screen, _ patience: X11Patience) throws(ScreenError) {
        x = try X11Connection(screen, patience: patience)
        guard x.extensions.hasTest else {
            throw ScreenError(
                .unsupported,
                "\(x.address.sentence) lacks the extension XTEST: the screen can be viewed, not controlled")
        }
        output = screen.output
        // While another program holds the server for itself, ours still passes: it would be held back, and then come in a burst.
        xcb_test_grab_control(x.raw, 1)
        xcb_change_window_attributes(
            x.raw, x.root, XCB_CW_EVENT_MASK.rawValue, [XCB_EVENT_MASK_STRUCTURE_NOTIFY.rawValue])
        if x.extensions.randrEvent != nil {
            let mask = XCB_RANDR_NOTIFY_MASK_SCREEN_CHANGE.rawValue | XCB_RANDR_NOTIFY_MASK_CRTC_CHANGE.rawValue
            xcb_randr_select_input(x.raw, x.root, UInt16(truncatingIfNeeded: mask))
        }
        area = try X11Outputs.area(x, output: output)
        map = try Self.readMap(x)
    }

    /// What the server has told meanwhile: another layout, another size, its end.
    func readEvents() throws(ScreenError) {
        while let event = x.nextEvent(reading: true) {
            switch event {
            case .keymapChanged: isMapStale = true
            case .screenChanged: isAreaStale = true
            case .damaged, .cursorChanged, .windowsChanged, .other: break
            }
        }
        try x.throwIfGone()
    }

    func move(x left: Int, y top: Int) throws(ScreenError) {
        if isAreaStale {
            isAreaStale = false
            area = try X11Outputs.area(x, output: output)
        }
        let clippedX = area.x + min(max(0, left), area.width - 1)
        let clippedY = area.y + min(max(0, top), area.height - 1)
        send(UInt8(XCB_MOTION_NOTIFY), 0, Int16(truncatingIfNeeded: clippedX), Int16(truncatingIfNeeded: clippedY))
    }

    func button(_ number: UInt8, isDown: Bool) {
        send(UInt8(isDown ? XCB_BUTTON_PRESS : XCB_BUTTON_RELEASE), number)
    }

    /// Presses what types `keysym` now. `held`: the keys that sessions hold.
    func press(_ keysym: Keysym, held: Set<UInt8>) throws(ScreenError) -> Outcome {
        if isMapStale { try refreshMap() }
        if keysym.isModifier {
            let code = map.code(of: keysym) ?? keysym.substitute.flatMap { map.code(of: $0) }
            guard let code else { return .notOnLayout }
            press(code)
            try x.flush()
            return .pressed(code)
        }
        let state = try modifiersInForce()
        let isControlAlt = state & KeyboardMap.controlBit != 0 && state & KeyboardMap.altBit != 0
        if isControlAlt, keysym.leavesWithControlAlt { return .notAllowed }
        guard let place = try place(of: keysym, state, held) else { return .notOnLayout }
        let restore = arrange(place, state, held)
        press(place.code)
        restore()
        try x.flush()
        return .pressed(place.code)
    }

    func release(_ code: UInt8) {
        let count = (holders[code] ?? 0) - 1
        holders[code] = count > 0 ? count : nil
        if count == 0 { send(UInt8(XCB_KEY_RELEASE), code) }
    }

    /// Releases those of `keys` and `buttons` that are down: a connection before this one held them.
    func letGo(_ keys: Set<UInt8>, _ buttons: UInt8) throws(ScreenError) {
        guard !keys.isEmpty || buttons != 0 else { return }
        let question = xcb_query_keymap(x.raw)
        let state = try modifiersInForce()
        guard let reply = try x.reply(question.sequence, as: xcb_query_keymap_reply_t.self) else { return }
        let down = withUnsafeBytes(of: reply.value.keys) { Array($0) }
        for code in keys where down.count > Int(code / 8) && down[Int(code / 8)] & 1 << (code % 8) != 0 {
            send(UInt8(XCB_KEY_RELEASE), code)
        }
        // Buttons 1 to 5 are the state's bits 8 to 12; releasing one that is up is nothing.
        for bit in 0..<8 where buttons & 1 << bit != 0 {
            if bit > 4 || state & 0x100 << bit != 0 { button(UInt8(bit + 1), isDown: false) }
        }
        try x.flush()
    }

    /// Lent keys mean nothing again.
    func giveBack() {
        for one in lent { assign(one.code, .none) }
        lent = []
    }

    private func press(_ code: UInt8) {
        holders[code, default: 0] += 1
        send(UInt8(XCB_KEY_PRESS), code)
    }

    private func send(_ type: UInt8, _ detail: UInt8, _ left: Int16 = 0, _ top: Int16 = 0) {
        xcb_test_fake_input(x.raw, type, detail, 0, x.root, left, top, 0)
    }

    /// Moves Shift and the shift to the third level to where `place` needs them.
    /// - Returns: what puts them back.
    private func arrange(_ place: KeyboardMap.Place, _ state: UInt16, _ held: Set<UInt8>) -> () -> Void {
        var undo: [(UInt8, UInt8)] = []
        func set(_ wanted: Bool?, _ bit: UInt16, _ own: UInt8?) {
            guard let wanted, bit != 0, wanted != (state & bit != 0) else { return }
            let (down, up) = (UInt8(XCB_KEY_PRESS), UInt8(XCB_KEY_RELEASE))
            if wanted {
                guard let own else { return }
                send(down, own)
                undo.append((up, own))
                return
            }
            // Only what sessions hold: the customer's own fingers are not lifted.
            let number = bit.trailingZeroBitCount
            for code in map.modifiers[number] where held.contains(code) {
                send(up, code)
                undo.append((down, code))
            }
        }
        set(place.needsShift(state), KeyboardMap.shiftBit, map.code(of: .shift))
        set(place.levelThree, map.levelThreeBit, map.code(of: .levelThree) ?? map.code(of: .modeSwitch))
        return { for (type, code) in undo.reversed() { self.send(type, code) } }
    }

    private func place(
        of keysym: Keysym, _ state: UInt16, _ held: Set<UInt8>
    ) throws(ScreenError) -> KeyboardMap.Place? {
        let group = Int(state >> 13 & 3)
        for wanted in [keysym, keysym.substitute].compactMap({ $0 }) {
            let places = map.places(of: wanted, group: group).filter { $0.isReachable(state) }
            let bit = map.levelThreeBit
            let best = places.min { $0.changes(state, levelThreeBit: bit) < $1.changes(state, levelThreeBit: bit) }
            if let best { return best }
        }
        return try lend(keysym, held)
    }

    /// Gives a free key the meaning `keysym`.
    private func lend(_ keysym: Keysym, _ held: Set<UInt8>) throws(ScreenError) -> KeyboardMap.Place? {
        var code = lent.count < Self.mostLent ? map.spare.first { one in !lent.contains { $0.code == one } } : nil
        if code == nil, let oldest = lent.firstIndex(where: { !held.contains($0.code) }) {
            code = lent.remove(at: oldest).code
        }
        guard let code else { return nil }
        assign(code, keysym)
        lent.append((code, keysym))
        try refreshMap()
        return KeyboardMap.Place(code: code, shift: nil, levelThree: nil)
    }

    private func assign(_ code: UInt8, _ keysym: Keysym) {
        let both = [keysym.rawValue, keysym.rawValue]
        xcb_change_keyboard_mapping(x.raw, 1, code, 2, both)
        isMapStale = true
    }

    private func modifiersInForce() throws(ScreenError) -> UInt16 {
        let reply = try x.reply(xcb_query_pointer(x.raw, x.root).sequence, as: xcb_query_pointer_reply_t.self)
        return reply?.value.mask ?? 0
    }

    private func refreshMap() throws(ScreenError) {
        map = try Self.readMap(x)
        isMapStale = false
    }

    private static func readMap(_ x: X11Connection) throws(ScreenError) -> KeyboardMap {
        let setup = xcb_get_setup(x.raw)
        let first = setup?.pointee.min_keycode ?? 8
        let count = UInt8(clamping: Int(setup?.pointee.max_keycode ?? 255) - Int(first) + 1)
        let keys = xcb_get_keyboard_mapping(x.raw, first, count)
        let modifiers = xcb_get_modifier_mapping(x.raw)
        let keysReply = try x.reply(keys.sequence, as: xcb_get_keyboard_mapping_reply_t.self)
        let modifiersReply = try x.reply(modifiers.sequence, as: xcb_get_modifier_mapping_reply_t.self)
        guard let keysReply, let modifiersReply else {
            throw ScreenError(.unreachable, "\(x.address.sentence) does not tell its keyboard's layout")
        }
        let keysyms = UnsafeBufferPointer(
            start: xcb_get_keyboard_mapping_keysyms(keysReply.pointer),
            count: Int(xcb_get_keyboard_mapping_keysyms_length(keysReply.pointer)))
        let each = Int(modifiersReply.value.keycodes_per_modifier)
        let codes = UnsafeBufferPointer(
            start: xcb_get_modifier_mapping_keycodes(modifiersReply.pointer),
            count: Int(xcb_get_modifier_mapping_keycodes_length(modifiersReply.pointer)))
        var lists: [[UInt8]] = []
        for number in 0..<8 { lists.append(codes.dropFirst(number * each).prefix(each).filter { $0 != 0 }) }
        return KeyboardMap(
            first: first, perCode: Int(keysReply.value.keysyms_per_keycode), keysyms: Array(keysyms), modifiers: lists)
    }
}
