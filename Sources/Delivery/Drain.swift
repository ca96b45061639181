/// A backlog on its way to the brokers, as it stands.
public struct Drain: Hashable, Sendable {
    /// Milliseconds since it began to go down.
    public var milliseconds: Int64
    /// Messages delivered since then.
    public var done: Int
    /// Those and what waits: what has come meanwhile is counted.
    public var of: Int
    /// Messages a second that the brokers take, over the last half minute.
    public var perSecond: Double
    /// Until nothing waits, if it goes on like this; nil where as much comes as goes.
    public var secondsLeft: Int?
}

/// Watches a backlog go down: what is said of it, and when. A value: no clock.
///
/// A backlog is a thousand messages or more. It is told of once a minute while it goes down, and once when it is gone.
struct DrainWatch {
    enum Word: Hashable {
        case progress(Drain)
        case over(Drain)
    }

    private struct Sample {
        /// Milliseconds.
        var at: Int64
        var acknowledged: Int
        var waiting: Int
    }

    /// Fewer waiting messages are no backlog; with fewer than a tenth of them it is over.
    static let least = 1000
    private static let tellAfter: Int64 = 60_000
    /// The rate is that of the last so many looks.
    private static let looks = 4

    /// Since the backlog goes down, the oldest first; the first is where it began.
    private var began: Sample?
    private var samples: [Sample] = []
    private var told: Int64 = 0

    /// One look. `acknowledged` counts since the start, `waiting` what is not acknowledged, `now` in milliseconds.
    mutating func look(acknowledged: Int, waiting: Int, now: Int64) -> Word? {
        let sample = Sample(at: now, acknowledged: acknowledged, waiting: waiting)
        guard let began else {
            if waiting >= Self.least { begin(sample) }
            return nil
        }
        if samples.last?.acknowledged == acknowledged, waiting > 0 {
            // It stands still: an outage. What comes after is another drain.
            if waiting >= Self.least { begin(sample) } else { end() }
            return nil
        }
        samples.append(sample)
        if samples.count > Self.looks { samples.removeFirst(samples.count - Self.looks) }
        guard let drain = drain(acknowledged: acknowledged, waiting: waiting, now: now) else { return nil }
        if waiting < Self.least / 10 {
            end()
            return drain.done >= Self.least ? .over(drain) : nil
        }
        guard now - max(told, began.at) >= Self.tellAfter else { return nil }
        told = now
        return .progress(drain)
    }

    /// How it stands between two looks; nil without a backlog that goes down.
    func drain(acknowledged: Int, waiting: Int, now: Int64) -> Drain? {
        guard let began, let first = samples.first, acknowledged > began.acknowledged else { return nil }
        let seconds = Double(max(1, now - first.at)) / 1000
        let rate = Double(acknowledged - first.acknowledged) / seconds
        let net = Double(first.waiting - waiting) / seconds
        let done = acknowledged - began.acknowledged
        return Drain(
            milliseconds: now - began.at, done: done, of: done + waiting, perSecond: rate,
            secondsLeft: waiting == 0 ? 0 : net > 0 ? Int((Double(waiting) / net).rounded(.up)) : nil)
    }

    private mutating func begin(_ sample: Sample) {
        began = sample
        samples = [sample]
        told = 0
    }

    private mutating func end() {
        began = nil
        samples = []
    }
}
