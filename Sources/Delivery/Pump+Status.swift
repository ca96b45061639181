import Kafka
import Lane
import Loop
import Outbox

/// What the pump is doing, for people and their programs.
public struct PumpStatus: Hashable, Sendable {
    public enum State: String, Hashable, Sendable {
        /// Not started, or stopped.
        case idle
        /// Everything that waits is on its way, or may go at any time.
        case sending
        /// No broker answers.
        case noBroker = "no_broker"
        /// The producer is being made anew.
        case recovering
    }

    /// Why the producer was made anew the last time.
    public struct Failure: Hashable, Sendable {
        public var error: KafkaError
        /// Wall clock.
        public var at: WallInstant
    }

    public struct Topic: Hashable, Sendable {
        public var topic: String
        /// In the outbox and not acknowledged; of them in flight.
        public var waiting: Int
        public var inFlight: Int
        /// When the oldest that waits was accepted.
        public var oldest: WallInstant?
        /// Everything up to here is with the brokers, and the newest message.
        public var acknowledged: Position
        public var head: Position
        public var held: HeldTopic?

        public init(
            topic: String, waiting: Int, inFlight: Int, oldest: WallInstant? = nil, acknowledged: Position,
            head: Position, held: HeldTopic? = nil
        ) {
            self.topic = topic
            self.waiting = waiting
            self.inFlight = inFlight
            self.oldest = oldest
            self.acknowledged = acknowledged
            self.head = head
            self.held = held
        }
    }

    public var state: State
    public var failure: Failure?
    /// While `recovering`: until it is tried again, at most.
    public var resumesInMilliseconds: Int64?
    public var brokers: BrokerCount
    public var inFlight: Int
    public var bytesInFlight: Int
    public var lastAcknowledged: WallInstant?
    public var drain: Drain?
    public var quarantine: QuarantineSize
    /// By name.
    public var topics: [Topic]

    public var waiting: Int { topics.reduce(0) { $0 + $1.waiting } }
    public var oldest: WallInstant? { topics.compactMap(\.oldest).min() }
}

extension Pump {
    /// How it stands now. `depths` as just read; without them, what the last look found.
    public func status(_ fresh: [TopicDepth]? = nil) -> PumpStatus {
        let known = Dictionary((fresh ?? depths).map { ($0.topic, $0) }) { $1 }
        let now = Boottime.milliseconds()
        let state: PumpStatus.State =
            switch self.state {
            case .idle, .stopping, .stopped: .idle
            case .recovering: .recovering
            case .running: isConnected ? .sending : .noBroker
            }
        var status = PumpStatus(
            state: state, failure: lastFailure, brokers: brokers, inFlight: counts.inFlight,
            bytesInFlight: counts.bytesInFlight, lastAcknowledged: lastAcknowledged, drain: drainNow,
            quarantine: quarantine, topics: channels.map { Self.topic($0, known[$0.topic]) })
        if state == .recovering, let resumesAt { status.resumesInMilliseconds = max(0, resumesAt - now) }
        status.topics.sort { $0.topic < $1.topic }
        return status
    }

    private static func topic(_ channel: Channel, _ depth: TopicDepth?) -> PumpStatus.Topic {
        let window = channel.window
        let isOneEpoch = window.head.epoch == window.acked.epoch
        let waiting = isOneEpoch ? Int(max(0, window.head.seq - window.acked.seq)) : depth?.rows ?? window.count
        var topic = PumpStatus.Topic(
            topic: channel.topic, waiting: waiting, inFlight: window.count, acknowledged: window.acked,
            head: window.head)
        if waiting > 0 {
            // What is in flight is the oldest; else the last look knows.
            topic.oldest = window.oldest.map { WallInstant(milliseconds: $0.created) } ?? depth?.oldest
        }
        if case .held(let held) = channel.access { topic.held = held }
        return topic
    }

    /// The backlog that goes down now.
    public var drainNow: Drain? {
        drainWatch.drain(acknowledged: counts.acknowledged, waiting: undelivered, now: Boottime.milliseconds())
    }

    /// Every look: tells of a backlog that goes down.
    func watchDrain() {
        let word = drainWatch.look(
            acknowledged: counts.acknowledged, waiting: undelivered, now: Boottime.milliseconds())
        switch word {
        case .progress(let drain):
            note(
                Notice(
                    .info, "the backlog is being delivered",
                    [
                        .init("count", String(drain.done)), .init("of", String(drain.of)),
                        .init("rate", String(Int(drain.perSecond.rounded()))),
                        .init("seconds_left", drain.secondsLeft.map { String($0) } ?? "unknown"),
                    ]))
        case .over(let drain):
            note(
                Notice(
                    .info, "the backlog is delivered",
                    [
                        .init("count", String(drain.done)), .init("seconds", String(drain.milliseconds / 1000)),
                        .init("rate", String(Int(drain.perSecond.rounded()))),
                    ]))
        case nil: break
        }
    }
}
