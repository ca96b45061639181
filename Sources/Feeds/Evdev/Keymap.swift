import CXKBCommon

/// A compiled xkb keymap of one layout. Made once per layout and shared by its devices; about 20 ms and half a megabyte.
/// Single-threaded. Source: libxkbcommon's xkbcommon.h; the layouts are those of the package xkb-data.
final class Keymap {
    fileprivate let context: OpaquePointer
    fileprivate let keymap: OpaquePointer

    /// Nil when xkb-data has no such layout or variant, or is not installed.
    init?(layout: String, variant: String) {
        // Neither the environment nor a file in the user's home may change what a scanner types.
        let flags = XKB_CONTEXT_NO_ENVIRONMENT_NAMES
        guard let context = xkb_context_new(flags) else { return nil }
        // Its complaints would go to stderr; ours go to the log, with the device's role.
        xkb_context_set_log_level(context, XKB_LOG_LEVEL_CRITICAL)
        let keymap: OpaquePointer? = layout.withCString { layout in
            variant.withCString { variant in
                "evdev".withCString { rules in
                    "pc105".withCString { model in
                        var names = xkb_rule_names(
                            rules: rules, model: model, layout: layout, variant: variant, options: nil)
                        return xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS)
                    }
                }
            }
        }
        guard let keymap else {
            xkb_context_unref(context)
            return nil
        }
        self.context = context
        self.keymap = keymap
    }

    deinit {
        xkb_keymap_unref(keymap)
        xkb_context_unref(context)
    }
}

/// What a device's keys type under a keymap. xkb's codes are evdev's plus 8.
final class XKBLayout: KeyLayout {
    private let keymap: Keymap
    private var state: OpaquePointer?

    init(_ keymap: Keymap) {
        self.keymap = keymap
        state = xkb_state_new(keymap.keymap)
    }

    deinit { xkb_state_unref(state) }

    func press(_ code: UInt16) -> KeyText {
        guard let state else { return KeyText(scalar: 0) }
        let key = xkb_keycode_t(code) + 8
        let symbol = xkb_state_key_get_one_sym(state, key)
        let scalar = xkb_state_key_get_utf32(state, key)
        xkb_state_update_key(state, key, XKB_KEY_DOWN)
        if scalar == 0, let dead = Self.deadKeys[symbol] { return KeyText(scalar: dead, isDead: true) }
        return KeyText(scalar: scalar)
    }

    func release(_ code: UInt16) {
        guard let state else { return }
        xkb_state_update_key(state, xkb_keycode_t(code) + 8, XKB_KEY_UP)
    }

    func reset() {
        xkb_state_unref(state)
        state = xkb_state_new(keymap.keymap)
    }

    /// Keysyms of dead keys and the ASCII characters that they type with a space. Source: xkbcommon-keysyms.h.
    private static let deadKeys: [UInt32: UInt32] = [
        0xfe50: 0x60,  // dead_grave `
        0xfe51: 0xb4,  // dead_acute ´
        0xfe52: 0x5e,  // dead_circumflex ^
        0xfe53: 0x7e,  // dead_tilde ~
        0xfe57: 0xa8,  // dead_diaeresis ¨
    ]
}
