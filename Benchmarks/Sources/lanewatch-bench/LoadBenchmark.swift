import Glibc
import Kafka
import Loop
import Synchronization

/// What the shipped binary takes: durable accepts from several writers, its CPU, an outage, and its rest.
enum LoadBenchmark {
    static let writers = 4
    static let perWriter = 25_000

    /// - Parameter isWhole: With an outage; else accepting and delivering alone.
    static func run(_ program: String, isWhole: Bool = true) throws {
        guard let agent = try AgentProcess(program, rules: DeliveryBenchmark.rules) else {
            print("benchmark: \(program) does not start")
            return
        }
        _ = agent.drained(within: 10)
        let cpu = agent.threadSeconds
        let seconds = accept(agent.socketPath, writers: writers, each: perWriter)
        let total = Double(writers * perWriter)
        let drained = agent.drained(within: 60) ?? .nan
        let spent = agent.threadSeconds.merging(cpu) { $0 - $1 }
        let cost = spent.values.reduce(0, +)
        var table = Table(
            "Load: one message a signal, \(writers) writers that ask for answers", ["what", "figure", "target"])
        table.add("accepted durably, signals/s", thousands(total / seconds), "40 k")
        table.add("delivered after the last answer, s", round(drained, 2), "–")
        table.add("CPU s per 100 k, accepted to acknowledged", round(cost / total * 100_000, 2), "2")
        for (thread, seconds) in spent.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) where seconds > 0.005 {
            table.add("– thread \(thread)", round(seconds / total * 100_000, 2), "")
        }
        if isWhole { outage(agent, &table) }
        table.show()
    }

    /// Each writer sends its lines as fast as they are taken, and reads all answers; seconds until the last.
    private static func accept(_ path: String, writers: Int, each: Int) -> Double {
        let begin = Boottime.nanoseconds()
        let left = Left(writers)
        for _ in 0..<writers {
            Threads.start {
                defer { left.done() }
                guard let peer = Peer(path) else { return }
                let two =
                    "{\"type\":\"cash.jam\",\"unit\":\"coin\",\"ack\":true}\n{\"type\":\"cash.cleared\",\"unit\":\"coin\",\"ack\":true}\n"
                let lines = String(repeating: two, count: 50)
                Threads.start { for _ in 0..<each / 100 { peer.write(lines) } }
                var answers = 0
                var piece = [UInt8](repeating: 0, count: 65_536)
                while answers < each {
                    let count = read(peer.descriptor, &piece, piece.count)
                    if count <= 0 { break }
                    answers += piece[0..<count].count { $0 == 10 }
                }
                if answers < each { print("benchmark: only \(answers) of \(each) answers") }
            }
        }
        left.wait()
        return Double(Boottime.nanoseconds() - begin) / 1e9
    }

    /// 20 000 messages wait while no broker is there; how long until they are delivered, from the brokers' return.
    private static func outage(_ agent: AgentProcess, _ table: inout Table) {
        for broker in 1...3 { try? agent.cluster.setDown(Int32(broker), true) }
        _ = accept(agent.socketPath, writers: 2, each: 10_000)
        usleep(3_000_000)
        for broker in 1...3 { try? agent.cluster.setDown(Int32(broker), false) }
        let before = agent.metric("lanewatch_delivery_acknowledged_total") ?? 0
        let back = Boottime.nanoseconds()
        while (agent.metric("lanewatch_delivery_acknowledged_total") ?? 0) <= before
            && Boottime.nanoseconds() - back < 30_000_000_000
        { usleep(5000) }
        let first = Double(Boottime.nanoseconds() - back) / 1e9
        let drained = agent.drained(within: 60) ?? .nan
        table.add("first delivery after an outage, s", round(first, 2), "–")
        table.add("20 k drained from there, s", round(drained, 2), "2")
    }

    private final class Left: Sendable {
        private let count: Mutex<Int>
        init(_ count: Int) { self.count = Mutex(count) }
        func done() { count.withLock { $0 -= 1 } }
        func wait() { while count.withLock({ $0 }) > 0 { usleep(500) } }
    }
}

enum Threads {
    static func start(_ body: @escaping @Sendable () -> Void) {
        startThread(name: "writer", body)
    }
}

/// The agent at rest: memory and wake-ups, by thread.
enum RestBenchmark {
    static func run(_ program: String, seconds: Int = 30) throws {
        guard let agent = try AgentProcess(program, rules: DeliveryBenchmark.rules) else {
            print("benchmark: \(program) does not start")
            return
        }
        usleep(5_000_000)
        let before = switches(agent.pid)
        usleep(useconds_t(seconds) * 1_000_000)
        let after = switches(agent.pid)
        var table = Table(
            "Rest: the static release without devices, connected to three brokers, \(seconds) s",
            ["what", "figure", "target"])
        let rollup = Text.file("/proc/\(agent.pid)/smaps_rollup")
        table.add("RSS, MB", megabytes("Rss:", rollup), "–")
        table.add("PSS, MB", megabytes("Pss:", rollup), "16")
        table.add(
            "private, MB",
            round(kilobytes("Private_Clean:", rollup) / 1024 + kilobytes("Private_Dirty:", rollup) / 1024, 1), "–")
        var total = 0.0
        var rows: [(name: String, rate: Double)] = []
        for (thread, count) in after {
            let rate = Double(count.switches - (before[thread]?.switches ?? 0)) / Double(seconds)
            total += rate
            rows.append((count.name, rate))
        }
        table.add("wake-ups/s, all threads", round(total, 1), "8")
        for row in rows.sorted(by: { ($0.rate, $1.name) > ($1.rate, $0.name) }) {
            table.add("– thread \(row.name)", round(row.rate, 2), "")
        }
        table.show()
    }

    /// Voluntary context switches by thread: each is a thread that slept and was woken. Source: proc(5).
    private static func switches(_ pid: pid_t) -> [String: (name: String, switches: Int)] {
        var found: [String: (String, Int)] = [:]
        guard let folder = opendir("/proc/\(pid)/task") else { return found }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard Int(name) != nil else { continue }
            let status = Text.file("/proc/\(pid)/task/\(name)/status")
            let thread =
                Text.file("/proc/\(pid)/task/\(name)/comm").split(whereSeparator: \.isNewline).first.map(String.init)
                ?? "?"
            let line = status.split(whereSeparator: \.isNewline).first { $0.hasPrefix("voluntary_ctxt_switches:") }
            found[name] = (thread, line?.split(separator: "\t").last.flatMap { Int($0) } ?? 0)
        }
        return found
    }

    private static func kilobytes(_ key: String, _ rollup: String) -> Double {
        let line = rollup.split(whereSeparator: \.isNewline).first { $0.hasPrefix(key) }
        return line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0
    }

    private static func megabytes(_ key: String, _ rollup: String) -> String { round(kilobytes(key, rollup) / 1024, 1) }
}
