import Kafka
import Lane
import Loop
import Outbox

/// The one publisher: leases messages in order, hands them to one producer, settles what the brokers report.
///
/// Nothing is settled before its report, and only over a prefix without holes. Any failed report or fatal error stops all
/// topics; the producer is emptied, ended and made anew after a pause, and every topic goes on behind its last
/// acknowledged message: order holds, a message may come twice and has one id.
/// A topic that the cluster does not know, or refuses, holds back itself alone.
///
/// Owned by the lane's loop. Idle it wakes once in `PumpConfiguration.look`.
@LoopActor public final class Pump {
    enum State { case idle, running, recovering, stopping, stopped }

    let outbox: Outbox
    let configuration: PumpConfiguration
    let note: @LoopActor (Notice) -> Void
    var state = State.idle
    var producer: Producer?
    /// Which producer: reports of an older one are of no account.
    var instance: UInt64 = 0
    /// In the order they were first seen; at most 4096, as a report names one by 12 bits.
    var channels: [Channel] = []
    var places: [String: Int] = [:]
    var backoff: Backoff
    var random = SystemRandomNumberGenerator()
    var recovery: Task<Void, Never>?
    var pause: (deadline: EventLoop.Deadline, done: CheckedContinuation<Void, Never>)?
    /// Messages gathered for all topics, and their bytes: with those in flight they fill the window.
    var gatheredCount = 0
    var gatheredBytes = 0
    var unsettled: Set<Int> = []
    var unsettledCount = 0
    var settleDeadline: EventLoop.Deadline?
    var isSettling = false
    var lookDeadline: EventLoop.Deadline?
    var looks = 0
    var noted: [String: Int64] = [:]
    var drainWatch = DrainWatch()
    var lastFailure: PumpStatus.Failure?
    /// While recovering: when it is tried again, in milliseconds of boot time.
    var resumesAt: Int64?
    var lastAcknowledged: WallInstant?
    /// Where the lane's messages are, by topic, and of which topics that is not written down yet.
    var partitions: [String: Int32] = [:]
    var newPartitions: Set<String> = []
    var linkState = LinkState(now: Boottime.milliseconds())
    /// What was said of the link last, and since when it is so (wall time).
    var toldLink: (state: Link.State, cause: LinkFault.Cause?, since: Int64) = (.connecting, nil, 0)
    /// The producer's settings, as its credentials are now.
    var settings: ClientConfiguration
    var credentialsMark: Int?
    var isReadingCredentials = false

    public internal(set) var counts = PumpCounts()
    /// Told of each message that the brokers have, in its topic's order. For measurements.
    public var onAcknowledged: (@LoopActor (String, Position) -> Void)?
    /// librdkafka's statistics as they last came: JSON.
    public internal(set) var statistics: [UInt8] = []
    /// How much waits on each topic, by the last look; `oldest` included.
    public internal(set) var depths: [TopicDepth] = []
    /// Told after each look, every 10 s: `depths` and `link` are fresh.
    public var onLook: (@LoopActor () -> Void)?

    /// How much is among the dead letters.
    public internal(set) var quarantine = QuarantineSize()

    /// `note` is told what an operator may want to read; the same at most once a minute.
    public init(
        _ configuration: PumpConfiguration, outbox: Outbox, note: @escaping @LoopActor (Notice) -> Void
    ) {
        self.configuration = configuration
        self.outbox = outbox
        self.note = note
        settings = configuration.producer
        backoff = Backoff(first: configuration.firstBackoff, limit: configuration.longestBackoff)
    }

    public var brokers: BrokerCount { producer?.brokers ?? BrokerCount() }
    /// Whether a broker is believed to be connected.
    public var isConnected: Bool { producer?.isConnected ?? false }
    /// Topics that are not sent to, with the reason.
    public var heldTopics: [HeldTopic] {
        channels.compactMap { if case .held(let held) = $0.access { held } else { nil } }
    }

    /// Messages that the outbox holds, as far as commits and looks have told, and the brokers have not acknowledged.
    public var undelivered: Int {
        channels.reduce(0) { sum, channel in
            let window = channel.window
            if window.head.epoch == window.acked.epoch { return sum + Int(max(0, window.head.seq - window.acked.seq)) }
            // An older epoch is still being sent: the last look counted its rows.
            let rows = depths.first { $0.topic == channel.topic }?.rows ?? 0
            return sum + max(rows, Int(window.head.seq))
        }
    }

    /// Age of the oldest message that is not delivered, in milliseconds, by the last look; 0 where nothing waits.
    public var oldestAge: Int64 {
        guard undelivered > 0, let oldest = depths.compactMap(\.oldest?.milliseconds).min() else { return 0 }
        return max(0, Boottime.wallMilliseconds() - oldest)
    }

    // MARK: Start, wake, stop

    /// Begins behind the last settled message of each topic. Once only.
    /// - Throws: what librdkafka says of the settings, or the outbox of its file; then it may be called again.
    public func start() async throws {
        guard state == .idle else { return }
        try await loadPartitions()
        learn(try await outbox.depths(withOldest: true), isLook: false)
        await learnQuarantine()
        await readCredentials()
        guard state == .idle else { return }
        try makeProducer()
        state = .running
        watchDrain()
        scheduleLook()
        advanceAll()
    }

    /// Tells of a commit. New messages that come next in their topic are handed over as they are; the rest is read.
    public func wake(_ committed: Committed) {
        gather(committed.fresh)
        wake(committed.heads)
    }

    /// Tells how far topics go: `Committed.heads`. Costs little where there is nothing to send.
    public func wake(_ heads: [String: Position]) {
        for (topic, head) in heads {
            let place = place(of: topic)
            channels[place].window.head = max(channels[place].window.head, head)
            if let unheard = channels[place].unheard, head >= unheard { channels[place].unheard = nil }
            advance(place)
        }
    }

    /// Looks for what to send without being told where.
    public func wake() {
        Task { [weak self, outbox] in
            guard let depths = try? await outbox.depths() else { return }
            self?.wake(Dictionary(depths.map { ($0.topic, $0.head) }) { $1 })
        }
    }

    /// Stops for good: waits up to 3 s for reports, gives back the rest, writes down what came, ends the producer. Below
    /// `seconds` in all; what was not reported is sent again after the next start.
    public func stop(within seconds: Int64 = 5) async {
        guard state != .stopped, state != .stopping else { return }
        let limit = Boottime.milliseconds() + seconds * 1000 - 500
        func left() -> Int64 { max(50, limit - Boottime.milliseconds()) }
        for place in channels.indices { while !channels[place].gathered.isEmpty { handOverGathered(place) } }
        state = .stopping
        if let lookDeadline { EventLoop.shared.cancel(lookDeadline) }
        endPause()
        await recovery?.value
        if let producer {
            if await !producer.flush(within: min(3000, left() / 2)) {
                producer.purge()
                _ = await producer.flush(within: min(500, left()))
            }
            producer.close()
            takeBackAll()
            await settle()
            await producer.ended(within: left())
        }
        producer = nil
        state = .stopped
    }

    // MARK: Handing over

    func place(of topic: String, settled: Position = .start) -> Int {
        if let known = places[topic] { return known }
        channels.append(Channel(topic: topic, settled: settled))
        places[topic] = channels.count - 1
        return channels.count - 1
    }

    func advanceAll() { for place in channels.indices { advance(place) } }

    /// Does the next thing for a topic: asks for it, or reads and hands over as much as there is room for.
    func advance(_ place: Int) {
        guard state == .running, let producer else { return }
        guard isGatheringOver(place) else { return }
        let window = channels[place].window
        switch channels[place].access {
        case .asking, .held: return
        case .unasked: ask(place, producer)
        case .ready:
            guard window.hasMore, !channels[place].isLeasing else { return }
            let room = min(
                window.room(configuration.windowPerTopic), configuration.window - counts.inFlight - gatheredCount,
                configuration.leaseRows)
            // As groups end whole, a backlog is not read row by row as each report makes room for one; and the next group is
            // read while one is on its way.
            guard room > 0, channels[place].groups.count < configuration.groups,
                counts.bytesInFlight < configuration.windowBytes
            else { return }
            lease(place, from: window.sent, limit: room)
        }
    }

    private func lease(_ place: Int, from sent: Position, limit: Int) {
        channels[place].isLeasing = true
        let leasedFor = instance
        let topic = channels[place].topic
        let bytes = max(1, min(1 << 20, configuration.windowBytes - counts.bytesInFlight))
        Task { [weak self, outbox] in
            do throws(OutboxError) {
                let parcels = try await outbox.lease(topic: topic, after: sent, limit: limit, bytes: bytes)
                self?.handOver(parcels, place, leasedFor)
            } catch {
                self?.leaseFailed(place, error)
            }
        }
    }

    private func leaseFailed(_ place: Int, _ error: OutboxError) {
        channels[place].isLeasing = false
        // The next look, or the next commit, tries again.
        counts.leaseFailures += 1
        say(.warning, "the outbox cannot be read", error.code.rawValue, error.description)
    }

    private func handOver(_ parcels: [Parcel], _ place: Int, _ leasedFor: UInt64) {
        channels[place].isLeasing = false
        guard state == .running, leasedFor == instance, let producer else { return advance(place) }
        noteMissing(parcels, place)
        guard !parcels.isEmpty else {
            // Nothing is there: what the head promised is none of this database's rows.
            channels[place].window.head = channels[place].window.sent
            return
        }
        guard isGroupDue(place) else { return gather(read: parcels, place) }
        // With a full queue it is up to the reports: each of them makes room and advances.
        if handOver(group: parcels, place, producer) { advance(place) }
    }

    /// A hole between what was sent and what was read: rows that are damaged. They are lost, which is never passed over.
    private func noteMissing(_ parcels: [Parcel], _ place: Int) {
        var before = channels[place].window.sent
        func miss(upTo next: Position) {
            let (first, last) = (before.seq + 1, next.seq - 1)
            guard before.epoch == next.epoch, last >= first else { return }
            let end = Position(epoch: next.epoch, seq: last)
            guard end > channels[place].missingTold else { return }
            channels[place].missingTold = end
            counts.unreadable += Int(clamping: last - first + 1)
            say(
                .error, "messages that were kept cannot be read any more: the outbox is damaged", channels[place].topic,
                "\(channels[place].topic): \(first) to \(last) of epoch \(next.epoch)", field: "range")
        }
        for parcel in parcels {
            if parcel.position.seq > before.seq + 1, let told = DroppedMessages(parcel) {
                // What was given up is told in its place, and is no damage.
                miss(upTo: Position(epoch: parcel.position.epoch, seq: told.first))
            } else {
                miss(upTo: parcel.position)
            }
            before = parcel.position
        }
        let head = channels[place].window.head
        if parcels.isEmpty { miss(upTo: Position(epoch: head.epoch, seq: head.seq + 1)) }
    }
}
