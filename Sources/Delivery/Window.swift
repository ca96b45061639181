import Outbox

/// One topic's messages between the outbox and the brokers. A value: no clock, no I/O.
///
/// What was handed over stands in order; what is acknowledged without a hole before it moves `acked` on. After any
/// failure the window is rewound: everything behind `acked` is read and sent again, in place.
struct Window {
    struct Entry {
        var position: Position
        /// Boot time in nanoseconds.
        var handedOver: Int64
        var created: Int64
        var bytes: Int
        var isAcknowledged = false
    }

    /// Everything up to here is with the brokers.
    private(set) var acked: Position
    /// The last one handed over.
    private(set) var sent: Position
    /// The newest known to be in the outbox.
    var head: Position
    private var entries: [Entry] = []
    /// Entries before this one are done; they are thrown away in bulk.
    private var first = 0
    /// The ticket of `entries[first]`.
    private var firstTicket: UInt64 = 0
    /// Bytes handed over and not done.
    private(set) var bytes = 0
    /// How many must still go one at a time, because one of them was refused and it must be known which.
    private(set) var single = 0
    /// The message that was refused last, and how often in a row.
    private var blamed: (position: Position, times: Int)?

    init(acked: Position, head: Position) {
        self.acked = acked
        sent = acked
        self.head = max(acked, head)
    }

    var count: Int { entries.count - first }
    var oldest: Entry? { first < entries.count ? entries[first] : nil }
    var hasMore: Bool { head > sent }

    /// How many may be handed over now, of at most `limit` in flight.
    func room(_ limit: Int) -> Int { single > 0 ? (count == 0 ? 1 : 0) : max(0, limit - count) }

    /// The ticket of the oldest message that is not done.
    var oldestTicket: UInt64 { firstTicket }

    /// The ticket that `append` will give.
    var nextTicket: UInt64 { firstTicket + UInt64(count) }

    /// Takes note that a message was handed over, with `nextTicket`.
    mutating func append(_ entry: Entry) {
        entries.append(entry)
        sent = entry.position
        head = max(head, sent)
        bytes += entry.bytes
    }

    /// The entry of `ticket`, as long as it is not done.
    func entry(_ ticket: UInt64) -> Entry? {
        guard ticket >= firstTicket, ticket - firstTicket < UInt64(count) else { return nil }
        return entries[first + Int(ticket - firstTicket)]
    }

    /// The broker has the message of `ticket`. Calls `done` for each entry that is done by it, in order: none while an
    /// earlier one is missing.
    mutating func acknowledge(_ ticket: UInt64, _ done: (Entry) -> Void) {
        guard ticket >= firstTicket, ticket - firstTicket < UInt64(count) else { return }
        entries[first + Int(ticket - firstTicket)].isAcknowledged = true
        while first < entries.count, entries[first].isAcknowledged {
            acked = entries[first].position
            bytes -= entries[first].bytes
            single = max(0, single - 1)
            done(entries[first])
            first += 1
            firstTicket += 1
        }
        if let blamed, acked >= blamed.position { self.blamed = nil }
        if first == entries.count || first >= 1024 {
            entries.removeFirst(first)
            first = 0
        }
    }

    /// Everything behind `acked` is to be sent again.
    /// - Returns: what was in flight.
    mutating func rewind() -> [Entry] {
        let returned = Array(entries[first...])
        firstTicket += UInt64(returned.count)
        entries.removeAll(keepingCapacity: true)
        first = 0
        bytes = 0
        sent = acked
        return returned
    }

    /// The next message goes alone: whether the topic is to be had again must cost no more than that one.
    mutating func tryOne() { single = max(single, 1) }

    /// The brokers will not take the message at `position`. From now on they go one at a time until all that were in
    /// flight with it are through: a batch is refused whole, and only then is it known which one it was.
    /// - Returns: how often in a row it was this one.
    mutating func blame(_ position: Position) -> Int {
        single = max(single, count, 1)
        let times = blamed.map { $0.position == position ? $0.times + 1 : 1 } ?? 1
        blamed = (position, times)
        return times
    }

    /// What stands at the blamed place now is another message.
    mutating func forgive() { blamed = nil }
}
