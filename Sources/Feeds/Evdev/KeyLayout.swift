/// What keys type under a layout, and which modifiers are held. One per device; single-threaded.
protocol KeyLayout: AnyObject {
    /// The key `code` goes down: what it types under the modifiers held now.
    func press(_ code: UInt16) -> KeyText
    func release(_ code: UInt16)
    /// No key is held and no lock is set.
    func reset()
}

/// What one press types.
struct KeyText: Hashable {
    /// A Unicode scalar, or 0: the key types nothing.
    var scalar: UInt32
    /// A dead key, which a following space makes itself: the space types nothing more.
    var isDead = false
}
