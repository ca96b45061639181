import Delivery
import Glibc
import Kafka
import Lane
import Loop
import Outbox

/// What tests start as a process of its own, to kill it, to trace it, to time it. Never shipped.
///
///     outbox-probe commit FOLDER full|relaxed COUNT GROUP   commits, and writes the last number of each commit once durable
///     outbox-probe mock BROKERS TOPIC…                      mock brokers until standard input ends; writes their address
///     outbox-probe deliver FOLDER BOOTSTRAP COUNT [TOPIC]   commits one by one and publishes, until COUNT are settled
///     outbox-probe stop FOLDER BOOTSTRAP               says when it publishes, then how long the stop took, and what is kept
///     outbox-probe obey FOLDER LIMIT COMMAND…              see `Obeying`
///     outbox-probe drop FOLDER COUNT                        commits past a small limit, and writes each number once durable
///     outbox-probe rate FOLDER COUNT GROUP                  commits a second
///     outbox-probe latency FOLDER BOOTSTRAP RATE SECONDS    from commit to acknowledgement, at a steady rate
///     outbox-probe drain FOLDER BOOTSTRAP COUNT             CPU and time to commit and publish
@main struct Probe {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        func word(_ place: Int) -> String { place < words.count ? words[place] : "" }
        func number(_ place: Int) -> Int { Int(word(place)) ?? 0 }
        switch word(0) {
        case "commit":
            try await commit(word(1), word(2) == "full" ? .full : .relaxed, number(3), max(1, number(4)))
        case "mock": try mock(number(1), Array(words.dropFirst(2)))
        case "deliver": try await deliver(word(1), word(2), number(3), word(4).isEmpty ? "t" : word(4))
        case "rate": try await rate(word(1), number(2), max(1, number(3)))
        case "latency": try await latency(word(1), word(2), Int64(number(3)), Int64(number(4)))
        case "drain": try await drain(word(1), word(2), number(3))
        case "stop": try await stop(word(1), word(2))
        case "obey": await Obeying.run(word(1), limit: Int64(number(2)), Array(words.dropFirst(3)))
        case "drop": try await drop(word(1), number(2))
        case "make": make(number(1))
        default: exit(64)
        }
    }

    /// Straight to the descriptor: what is written is out, whatever happens next.
    static func say(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        _ = write(1, bytes, bytes.count)
    }

    static func event(_ number: Int64, topic: String = "t") -> OutboxEvent {
        let value = """
            {"intervention":"5f0c9a1e-7d42-8b3c-9a1e-7d425f0c9a1e","rule":"payment-timeout","category":"payment",\
            "severity":"warning","title":"Payment has no answer","store":"0042","lane":"07","phase":"pay",\
            "state":"raised","revision":1,"repeats":0,"raisedAt":"2026-11-21T08:14:03.120Z","n":\(number)}
            """
        return OutboxEvent(
            CloudEvent(
                topic: topic, key: "0042/07", id: LaneUUID(hashing: ["probe", String(number)]),
                headers: [
                    .init("content-type", "application/json"), .init("ce_specversion", "1.0"),
                    .init("ce_source", "/stores/0042/lanes/07"), .init("ce_type", "sco.intervention.raised.v1"),
                    .init("ce_subject", "5f0c9a1e-7d42-8b3c-9a1e-7d425f0c9a1e"),
                    .init("ce_time", "2026-11-21T08:14:03.120Z"), .init("ce_partitionkey", "0042/07"),
                ], value: Array(value.utf8)), change: number)
    }

    static func signal(_ number: Int64) -> StampedSignal {
        StampedSignal(
            number: number, at: LaneInstant(milliseconds: number), wall: WallInstant(milliseconds: number),
            signal: Signal(type, feed: .pos))
    }

    static let type: SignalType = {
        guard let type = SignalType("payment.started") else { exit(70) }
        return type
    }()

    static func commit(_ folder: String, _ durability: Durability, _ count: Int, _ group: Int) async throws {
        let outbox = try Outbox(OutboxConfiguration(folder: folder))
        var next = try await outbox.recover().lastSignal + 1
        let end = next + Int64(count)
        say("open")
        while next < end {
            let numbers = next..<min(end, next + Int64(group))
            var commit = Commit(journal: numbers.map(signal), durability: durability)
            // Changes are always synced: only events that are none show what was asked for.
            commit.events = numbers.map { OutboxEvent(event($0).event) }
            _ = try await outbox.commit(commit)
            next = numbers.upperBound
            say(String(next - 1))
        }
        // Not closed in order: closing takes up the log, and would sync on its own.
        _exit(0)
    }

    /// Commits to several topics past a small limit, and says each commit's last signal once durable.
    static func drop(_ folder: String, _ count: Int) async throws {
        var configuration = OutboxConfiguration(folder: folder, maximumBytes: 300 << 10, inFlight: 0)
        configuration.values = ["health": .health, "state": .state, "audit": .audit]
        let outbox = try Outbox(configuration)
        var next = try await outbox.recover().lastSignal + 1
        let end = next + Int64(count)
        say("open")
        while next < end {
            var commit = Commit(journal: [signal(next)])
            for topic in ["health", "state", "t", "audit"] where next.isMultiple(of: topic == "audit" ? 7 : 1) {
                var made = event(next, topic: topic).event
                made.id = nil
                made.isChained = topic == "audit"
                commit.events.append(OutboxEvent(made))
            }
            if next.isMultiple(of: 20) { commit.snapshot = Snapshot(number: next, engine: [1]) }
            _ = try await outbox.commit(commit)
            say(String(next))
            next += 1
        }
        _exit(0)
    }

    static func mock(_ brokers: Int, _ topics: [String]) throws {
        let cluster = try MockCluster(brokers: max(1, brokers))
        for topic in topics { try cluster.createTopic(topic, partitions: 1, replicas: max(1, brokers)) }
        say(cluster.bootstrap)
        var byte: UInt8 = 0
        while read(0, &byte, 1) > 0 {}
    }

    /// A number of the environment, for trying other settings: `LINGER_MS`, `LEASE_ROWS`, `WINDOW`.
    static func setting(_ name: String, _ otherwise: Int) -> Int {
        getenv(name).flatMap { Int(String(cString: $0)) } ?? otherwise
    }

    @LoopActor static func pump(_ outbox: Outbox, _ bootstrap: String) -> Pump {
        var configuration = PumpConfiguration(
            producer: ProducerDefaults.configuration(
                clientID: "probe",
                overrides: [
                    .init("bootstrap.servers", bootstrap), .init("reconnect.backoff.ms", "20"),
                    .init("reconnect.backoff.max.ms", "100"), .init("linger.ms", String(setting("LINGER_MS", 0))),
                ]))
        configuration.leaseRows = setting("LEASE_ROWS", configuration.leaseRows)
        configuration.windowPerTopic = setting("WINDOW", configuration.windowPerTopic)
        return Pump(configuration, outbox: outbox, note: { _ in })
    }

    @LoopActor static func pause(_ milliseconds: Int64) async {
        await withCheckedContinuation { done in
            EventLoop.shared.schedule(inMilliseconds: milliseconds) { done.resume() }
        }
    }

    @LoopActor static func deliver(_ folder: String, _ bootstrap: String, _ count: Int, _ topic: String) async throws {
        let outbox = try Outbox(OutboxConfiguration(folder: folder))
        let pump = pump(outbox, bootstrap)
        try await pump.start()
        var next = try await outbox.recover().lastSignal + 1
        say("open")
        while next <= Int64(count) {
            let done = try await outbox.commit(Commit(journal: [signal(next)], events: [event(next, topic: topic)]))
            pump.wake(done.heads)
            say(String(next))
            next += 1
        }
        while try await outbox.depths().contains(where: { $0.rows > 0 }) { await pause(20) }
        await pump.stop()
        say("done")
    }

    @LoopActor static func stop(_ folder: String, _ bootstrap: String) async throws {
        let outbox = try Outbox(OutboxConfiguration(folder: folder))
        let pump = pump(outbox, bootstrap)
        try await pump.start()
        pump.wake(try await outbox.commit(Commit(events: [event(1)])).heads)
        // A cluster that was never there has nothing to say: a second is enough to see that.
        let until = Boottime.milliseconds() + 1500
        while pump.counts.acknowledged == 0, Boottime.milliseconds() < until { await pause(5) }
        let first = pump.counts.acknowledged
        say("open")
        if first > 0 {
            while pump.isConnected { await pause(5) }
        }
        let events = (2...Int64(100 + first)).map { event($0) }
        pump.wake(try await outbox.commit(Commit(events: events)).heads)
        await pause(100)
        let began = Boottime.milliseconds()
        await pump.stop()
        say(String(Boottime.milliseconds() - began))
        say("kept \(try await outbox.depths().reduce(0) { $0 + $1.rows })")
    }
}
