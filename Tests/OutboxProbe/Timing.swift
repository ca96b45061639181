import Delivery
import Glibc
import Kafka
import Lane
import Loop
import Outbox

extension Probe {
    /// CPU of this process in microseconds.
    static func cpu() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1_000_000
            + Int(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    }

    /// What making the events alone costs, to be taken off the others.
    static func make(_ count: Int) {
        let began = cpu()
        var bytes = 0
        for number in 1...Int64(max(1, count)) {
            bytes += event(number).event.headers.count + (signal(number).signal.attributes.count)
        }
        say("making \(bytes): CPU \(Double(cpu() - began) / Double(count)) µs an event")
    }

    static func rate(_ folder: String, _ count: Int, _ group: Int) async throws {
        let outbox = try Outbox(OutboxConfiguration(folder: folder, maximumBytes: 8 << 30))
        let began = Boottime.nanoseconds()
        let cpuBegan = cpu()
        var times: [Int64] = []
        var next: Int64 = 1
        while next <= Int64(count) {
            let numbers = next..<next + Int64(group)
            // With a snapshot now and then, as the agent takes one: the journal stays short.
            let snapshot = next % 10_000 < group ? Snapshot(number: next - 1, engine: [0]) : nil
            let done = try await outbox.commit(
                Commit(journal: numbers.map(signal), events: numbers.map { event($0) }, snapshot: snapshot))
            times.append(done.nanoseconds)
            next = numbers.upperBound
        }
        let seconds = Double(Boottime.nanoseconds() - began) / 1e9
        times.sort()
        say(
            """
            \(Int(Double(next - 1) / seconds)) signals/s in groups of \(group), commit p50 \(times[times.count / 2] / 1000) µs \
            p99 \(times[times.count * 99 / 100] / 1000) µs, CPU \(Double(cpu() - cpuBegan) / Double(next - 1)) µs a signal
            """)
    }

    @LoopActor static func latency(_ folder: String, _ bootstrap: String, _ rate: Int64, _ seconds: Int64) async throws
    {
        let outbox = try Outbox(OutboxConfiguration(folder: folder))
        let pump = pump(outbox, bootstrap)
        try await pump.start()
        var next: Int64 = 1
        var times: [Double] = []
        let wakeBegan = EventLoop.shared.wakeUps
        for round in 0..<rate * seconds {
            let began = Boottime.nanoseconds()
            let done = try await outbox.commit(Commit(journal: [signal(next)], events: [event(next)]))
            pump.wake(done.heads)
            next += 1
            // One at a time is acknowledged before the next comes: what is measured is its own way.
            while pump.counts.acknowledged < Int(round) + 1 { await Task.yield() }
            times.append(Double(Boottime.nanoseconds() - began) / 1e6)
            let left = began / 1_000_000 + 1000 / rate - Boottime.milliseconds()
            if left > 0 { await pause(left) }
        }
        let warm = times.dropFirst(times.count / 5).sorted()
        say(
            "commit to acknowledgement at \(rate)/s: p50 \(warm[warm.count / 2]) ms, p99 \(warm[warm.count * 99 / 100]) ms"
        )
        let idleBegan = EventLoop.shared.wakeUps
        await pause(20_000)
        say(
            "wake-ups of the loop: \(idleBegan - wakeBegan) in \(times.count) messages, then \(EventLoop.shared.wakeUps - idleBegan) in 20 s idle"
        )
        await pump.stop()
    }

    @LoopActor static func drain(_ folder: String, _ bootstrap: String, _ count: Int) async throws {
        let outbox = try Outbox(OutboxConfiguration(folder: folder, maximumBytes: 8 << 30))
        let pump = pump(outbox, bootstrap)
        // Connected before it is timed.
        let first = try await outbox.commit(Commit(journal: [signal(1)], events: [event(1)]))
        try await pump.start()
        pump.wake(first.heads)
        while pump.counts.acknowledged < 1 { await pause(10) }
        await pause(500)
        var began = Boottime.nanoseconds()
        var cpuBegan = cpu()
        var next: Int64 = 2
        while next <= Int64(count) {
            let numbers = next..<next + 200
            let done = try await outbox.commit(Commit(journal: numbers.map(signal), events: numbers.map { event($0) }))
            pump.wake(done.heads)
            next = numbers.upperBound
        }
        while pump.counts.acknowledged < Int(next) - 1 { await pause(1) }
        report("commit and publish", Int(next) - 2, began, cpuBegan)
        began = Boottime.nanoseconds()
        cpuBegan = cpu()
        await pump.stop()
        say("stopped after \((Boottime.nanoseconds() - began) / 1_000_000) ms; \(pump.counts)")
    }

    private static func report(_ what: String, _ count: Int, _ began: Int64, _ cpuBegan: Int) {
        let seconds = Double(Boottime.nanoseconds() - began) / 1e9
        say("\(what): \(Int(Double(count) / seconds))/s, CPU \(Double(cpu() - cpuBegan) / Double(count)) µs an event")
    }
}
