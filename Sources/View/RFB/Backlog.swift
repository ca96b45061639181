import Synchronization

/// How many bytes of one attendant's pictures wait at the gate for the network: the gate counts, the attendant looks before it
/// makes another picture. So a viewer that is slow costs the memory of one picture, however often it asks.
///
/// Any thread.
public final class Backlog: Sendable {
    /// While this many bytes wait, no picture is made.
    public static let limit = 64 << 10

    private let bytes = Atomic<Int>(0)
    /// The attendant would have made a picture, and sleeps until there is room.
    private let isAwaited = Atomic<Bool>(false)
    private let wake: @Sendable () -> Void

    /// - Parameter wake: wakes the attendant's thread; called on the gate's.
    public init(wake: @escaping @Sendable () -> Void) { self.wake = wake }

    public var unsent: Int { bytes.load(ordering: .acquiring) }

    /// The gate's count of now. Below the limit it wakes an attendant that waits for it.
    public func report(_ unsent: Int) {
        bytes.store(unsent, ordering: .sequentiallyConsistent)
        if unsent < Self.limit, isAwaited.exchange(false, ordering: .sequentiallyConsistent) { wake() }
    }

    /// Whether `more` bytes, on their way to the gate, and what waits there leave room for another picture. If not, the next
    /// report of room wakes the attendant.
    func hasRoom(besides more: () -> Int) -> Bool {
        if unsent + more() < Self.limit { return true }
        isAwaited.store(true, ordering: .sequentiallyConsistent)
        // Once more: the report may have come between the look and the wish.
        return unsent + more() < Self.limit
    }
}
