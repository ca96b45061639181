import CXCB

/// Which extensions an X server has, and the numbers of their events.
struct X11Extensions {
    /// XDamageNotify. Nil without DAMAGE 1.1.
    private(set) var damageEvent: UInt8?
    /// XFixesCursorNotify. Nil without XFIXES 2.
    private(set) var cursorEvent: UInt8?
    /// RRScreenChangeNotify; the next number is RRNotify. Nil without RandR 1.3.
    private(set) var randrEvent: UInt8?
    private(set) var hasSharedMemory = false
    /// MIT-SHM 1.2: memory is passed as a descriptor.
    private(set) var passesDescriptors = false
    private(set) var hasTest = false

    init() {}

    /// Asks for all at once. Afterwards no request of an extension waits inside of XCB, which looks its number up on first use.
    init(_ x: X11Connection) throws(ScreenError) {
        let raw = x.raw
        let all = [lw_xcb_damage(), lw_xcb_xfixes(), lw_xcb_randr(), lw_xcb_shm(), lw_xcb_test()]
        for one in all { xcb_prefetch_extension_data(raw, one) }
        try x.synchronise()
        let firstDamage = Self.firstEvent(raw, lw_xcb_damage())
        let firstFixes = Self.firstEvent(raw, lw_xcb_xfixes())
        let firstRandr = Self.firstEvent(raw, lw_xcb_randr())
        let hasShm = Self.firstEvent(raw, lw_xcb_shm()) != nil
        let damage = firstDamage.map { _ in xcb_damage_query_version(raw, 1, 1) }
        let fixes = firstFixes.map { _ in xcb_xfixes_query_version(raw, 5, 0) }
        let randr = firstRandr.map { _ in xcb_randr_query_version(raw, 1, 3) }
        let shm = hasShm ? xcb_shm_query_version(raw) : nil
        hasTest = Self.firstEvent(raw, lw_xcb_test()) != nil
        if let damage, let reply = try x.reply(damage.sequence, as: xcb_damage_query_version_reply_t.self) {
            damageEvent = Self.isAtLeast(1, 1, reply.value.major_version, reply.value.minor_version) ? firstDamage : nil
        }
        if let fixes, let reply = try x.reply(fixes.sequence, as: xcb_xfixes_query_version_reply_t.self) {
            let event = firstFixes.map { $0 + UInt8(XCB_XFIXES_CURSOR_NOTIFY) }
            cursorEvent = Self.isAtLeast(2, 0, reply.value.major_version, reply.value.minor_version) ? event : nil
        }
        if let randr, let reply = try x.reply(randr.sequence, as: xcb_randr_query_version_reply_t.self) {
            randrEvent = Self.isAtLeast(1, 3, reply.value.major_version, reply.value.minor_version) ? firstRandr : nil
        }
        if let shm, let reply = try x.reply(shm.sequence, as: xcb_shm_query_version_reply_t.self) {
            hasSharedMemory = true
            let (major, minor) = (UInt32(reply.value.major_version), UInt32(reply.value.minor_version))
            passesDescriptors = Self.isAtLeast(1, 2, major, minor)
        }
    }

    private static func firstEvent(_ raw: OpaquePointer, _ name: UnsafeMutablePointer<xcb_extension_t>?) -> UInt8? {
        guard let found = xcb_get_extension_data(raw, name), found.pointee.present != 0 else { return nil }
        return found.pointee.first_event
    }

    private static func isAtLeast(_ major: UInt32, _ minor: UInt32, _ hasMajor: UInt32, _ hasMinor: UInt32) -> Bool {
        (hasMajor, hasMinor) >= (major, minor)
    }
}
