import Kafka

/// How the lane is connected with the cluster, as far as it is known.
public struct Link: Hashable, Sendable {
    public enum State: String, Hashable, Sendable, CaseIterable {
        /// No broker has answered yet, and it is too early to call that a fault.
        case connecting
        case up
        /// No broker can be used. Messages are kept.
        case down
        /// A broker is connected and acknowledges nothing.
        case stalled
    }

    public var state: State
    /// Wall time in milliseconds.
    public var since: Int64
    /// The most telling of the faults of the last while; of a link that is up, one of a single broker.
    public var fault: LinkFault?

    /// What is wrong and the way out; empty while all is well.
    public var sentence: String {
        switch state {
        case .up, .connecting: return ""
        case .stalled: return "a broker is connected and acknowledges nothing; look at its log and its replicas"
        case .down: return fault?.sentence ?? "no broker answers; look at bootstrap.servers and at the network"
        }
    }
}

/// What events say of the link, put together. A value: no clock, no I/O.
///
/// librdkafka tells each broker's failures apart, and "all are down" only when they are so in one moment, which they may
/// never be: some wait for an answer while others are refused. So a link also counts as down when faults were told and no
/// broker has been usable for `patience`.
struct LinkState {
    /// How long a link may be without a broker before that counts, in milliseconds.
    static let patience: Int64 = 10_000
    /// A message on its way without a report for so long, with a broker connected: it stalls.
    static let stall: Int64 = 20_000
    /// Faults are forgotten after this.
    static let memory: Int64 = 120_000
    /// Of as many brokers faults are kept.
    static let brokers = 32

    private var faults: [(fault: LinkFault, at: Int64)] = []
    /// Boot time since when no broker is usable; nil while one is.
    private var lostAt: Int64?
    /// All were down in one moment.
    private var areAllDown = false
    /// How often each cause was told.
    private(set) var counts: [LinkFault.Cause: Int] = [:]
    private var shown = Link(state: .connecting, since: 0, fault: nil)

    init(now: Int64) { lostAt = now }

    /// An error event of the link.
    /// - Parameter isCounted: not where librdkafka says the same twice, in its log and as an error.
    mutating func take(_ fault: LinkFault, isAllDown: Bool, isCounted: Bool = true, now: Int64) {
        if isAllDown {
            areAllDown = true
            if lostAt == nil { lostAt = now }
            return
        }
        if isCounted { counts[fault.cause, default: 0] += 1 }
        if fault.cause == .loginWanted, lostAt == nil { lostAt = now }
        let known = faults.firstIndex { $0.fault.broker == fault.broker }
        // Why a certificate is refused stands in the log alone, just before the error that says only that it is.
        if let known, faults[known].fault.cause != fault.cause, now - faults[known].at < 5000,
            fault.cause == .untrusted, faults[known].fault.cause.isOfBrokerCertificate
        {
            return
        }
        // That a connection ended says less than why the one before it did.
        if let known, fault.isVague, !faults[known].fault.isVague, now - faults[known].at < 40_000 { return }
        if let known { faults.remove(at: known) } else if faults.count >= Self.brokers { faults.removeFirst() }
        faults.append((fault, now))
    }

    /// A new producer has no connection yet.
    mutating func restarted(now: Int64) {
        if lostAt == nil { lostAt = now }
        areAllDown = false
    }

    /// A broker has answered.
    mutating func reached() {
        lostAt = nil
        areAllDown = false
        faults = []
    }

    /// The statistics' count.
    mutating func count(up: Int, now: Int64) {
        // Such a broker is connected for the moment that it takes to throw us out.
        if up > 0, faults.contains(where: { $0.fault.cause == .loginWanted && now - $0.at < 40_000 }) { return }
        if up > 0 {
            lostAt = nil
            areAllDown = false
        } else if lostAt == nil {
            lostAt = now
        }
    }

    /// What to show, with `since` as the wall time at which it began.
    /// - Parameters:
    ///   - oldest: when the oldest message that is on its way was handed over; nil without one.
    mutating func link(now: Int64, wall: Int64, oldest: Int64?) -> Link {
        faults.removeAll { now - $0.at > Self.memory }
        var worst: LinkFault?
        for (fault, _) in faults where worst.map({ fault.tellsMore(than: $0) }) ?? true { worst = fault }
        let state: Link.State
        if let lostAt {
            let isKnown = areAllDown || (!faults.isEmpty && now - lostAt >= Self.patience)
            // Nothing is told by a host that swallows everything, until librdkafka gives up; then nothing is left to wait for.
            state = isKnown || now - lostAt >= 2 * Self.patience ? .down : shown.state == .down ? .down : .connecting
        } else {
            state = oldest.map { now - $0 >= Self.stall } == true ? .stalled : .up
        }
        if state != shown.state || shown.since == 0 {
            let ago = state == .down ? now - (lostAt ?? now) : 0
            shown = Link(state: state, since: wall - ago, fault: nil)
        }
        shown.fault = worst
        return shown
    }
}

extension LinkFault.Cause {
    /// One of the reasons for which a broker's certificate is refused.
    var isOfBrokerCertificate: Bool {
        switch self {
        case .untrusted, .expired, .notYetValid, .otherHost: return true
        default: return false
        }
    }
}
