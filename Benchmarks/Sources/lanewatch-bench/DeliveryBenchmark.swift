import Agent
import Delivery
import Glibc
import Kafka
import Lane
import Loop
import Outbox
import Synchronization

/// From a line on the socket until Kafka's acknowledgement at 200 a second, beside plain librdkafka with the same settings
/// and as many bytes, on the same embedded cluster, in turns.
enum DeliveryBenchmark {
    static let rules = """
        format: 1
        rules:
          - {id: jam, on: cash.jam, severity: warning, clear_when: cash.cleared}
        """
    static let rate = 200
    static let perTurn = 1000
    static let turns = 3

    static func run() throws {
        let cluster = try MockCluster(brokers: 3)
        for topic in TopicNames().all + ["plain"] { try cluster.createTopic(topic, partitions: 3, replicas: 3) }
        let folder = Folder()
        var configuration = Configuration()
        configuration.identity = LaneIdentity(store: "1", lane: "bench")
        configuration.stateFolder = folder.path + "/state"
        configuration.metrics = nil
        var socket = Configuration.Socket()
        socket.path = folder.path + "/pos.sock"
        configuration.socket = socket
        configuration.setKafka(["bootstrap.servers": cluster.bootstrap, "broker.address.family": "v4"])
        try folder.write("rules.yaml", rules)
        guard let files = RuleFiles.load([folder.path + "/rules.yaml"]).rules else { return }
        let agent = LaneAgent(
            configuration, rules: files, outbox: try Outbox(OutboxConfiguration(folder: configuration.stateFolder)),
            localTime: UTC()
        ) { _ in }
        let times = Times()
        try wait { try await agent.start() }
        wait { agent.pump?.onAcknowledged = { topic, _ in if topic == "sco.interventions" { times.add() } } }

        let settings = ProducerDefaults.configuration(
            clientID: "plain",
            overrides: [
                .init("bootstrap.servers", cluster.bootstrap), .init("broker.address.family", "v4"),
                // Ours pushes what it hands over; with our linger a plain one would only wait.
                .init("linger.ms", "0"),
            ]
        ).settings.map { ($0.key, $0.value) }
        _ = turn(socket.path, times, 100)
        var ours = Samples()
        var plain = Samples()
        for _ in 0..<turns {
            ours.values += turn(socket.path, times, perTurn).values
            if let producer = PlainProducer(settings, topic: "plain", count: perTurn) {
                plain.values += producer.run(bytes: 900, rate: rate).values
            }
        }
        let floor = SyncFloor.run(folder: folder.path, rate: rate, count: perTurn)
        wait { await agent.stop() }
        var table = Table(
            "Delivery: socket line to Kafka's acknowledgement at \(rate)/s, ms",
            ["what", "messages", "p50", "p99", "of plain p50", "of plain p99"])
        table.add(
            "plain librdkafka", "\(plain.values.count)", round(plain.median, 2), round(plain.quantile(0.99), 2), "1",
            "1")
        table.add(
            "Lanewatch, durable before it is sent", "\(ours.values.count)", round(ours.median, 2),
            round(ours.quantile(0.99), 2),
            round(ours.median / plain.median, 2), round(ours.quantile(0.99) / plain.quantile(0.99), 2))
        table.add(
            "one append and fdatasync of 4 KiB alone", "\(floor.values.count)", round(floor.median, 2),
            round(floor.quantile(0.99), 2),
            round(floor.median / plain.median, 2), round(floor.quantile(0.99) / plain.quantile(0.99), 2))
        table.show()
    }

    /// Writes `count` lines that make one message each, and matches them with acknowledgements by their order.
    private static func turn(_ path: String, _ times: Times, _ count: Int) -> Samples {
        let begun = times.count
        guard let peer = Peer(path) else { return Samples() }
        var sent: [Int64] = []
        let begin = Boottime.nanoseconds()
        for i in 0..<count {
            Pace.wait(until: begin + Int64(i) * 1_000_000_000 / Int64(rate))
            sent.append(Boottime.nanoseconds())
            peer.write(
                i % 2 == 0
                    ? "{\"type\":\"cash.jam\",\"unit\":\"coin\"}\n" : "{\"type\":\"cash.cleared\",\"unit\":\"coin\"}\n")
        }
        let end = Boottime.milliseconds() + 10_000
        while times.count < begun + count && Boottime.milliseconds() < end { usleep(1000) }
        var samples = Samples()
        for (i, at) in times.list(from: begun).prefix(count).enumerated() { samples.add(Double(at - sent[i]) / 1e6) }
        return samples
    }

    private final class Times: Sendable {
        private let values = Mutex<[Int64]>([])
        func add() { values.withLock { $0.append(Boottime.nanoseconds()) } }
        var count: Int { values.withLock { $0.count } }
        func list(from: Int) -> [Int64] { values.withLock { Array($0[from...]) } }
    }
}

/// What the disk asks for durability at the same rate: the floor below anything that is durable before it is sent.
enum SyncFloor {
    static func run(folder: String, rate: Int, count: Int) -> Samples {
        let path = folder + "/floor"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        defer {
            close(file)
            unlink(path)
        }
        let page = [UInt8](repeating: 0x61, count: 4096)
        var samples = Samples()
        let begin = Boottime.nanoseconds()
        for i in 0..<count {
            Pace.wait(until: begin + Int64(i) * 1_000_000_000 / Int64(rate))
            let start = Boottime.nanoseconds()
            _ = write(file, page, page.count)
            fdatasync(file)
            samples.add(Double(Boottime.nanoseconds() - start) / 1e6)
        }
        return samples
    }
}

/// A folder below /tmp that goes with the value.
final class Folder {
    let path: String
    private var written: Set<String> = []

    init() {
        var template = Array(("/tmp/lanewatch-bench-" + String(repeating: "X", count: 6)).utf8CString)
        precondition(mkdtemp(&template) != nil, "no folder below /tmp")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func write(_ name: String, _ text: String) throws { try write(name, lines: [Array(text.utf8)], end: []) }

    /// The lines, with a line feed after each.
    func write(_ name: String, lines: ArraySlice<[UInt8]>, end: [UInt8] = [10]) throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw SystemError("open") }
        defer { close(file) }
        written.insert(name)
        var bytes: [UInt8] = []
        func flush() throws {
            guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw SystemError("write") }
            bytes.removeAll(keepingCapacity: true)
        }
        for line in lines {
            bytes += line
            bytes += end
            if bytes.count > 1 << 20 { try flush() }
        }
        try flush()
    }

    /// A file that somebody else writes here.
    func expect(_ names: String...) { written.formUnion(names) }

    deinit {
        for name in written { unlink("\(path)/\(name)") }
        for name in ["rules.yaml", "pos.sock", "lanewatch.yaml", "agent.log"] { unlink("\(path)/\(name)") }
        for name in ["outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm", "lock", "epoch", "suspect"] {
            unlink("\(path)/state/\(name)")
        }
        rmdir(path + "/state")
        rmdir(path)
    }
}

/// A plain client of the socket.
final class Peer: Sendable {
    let descriptor: Int32

    init?(_ path: String) {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { place in
            for (i, byte) in path.utf8.enumerated() where i < place.count - 1 { place[i] = byte }
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard code == 0 else {
            close(descriptor)
            return nil
        }
    }

    func write(_ text: String) {
        var text = text
        text.withUTF8 { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.write(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent)
                if count <= 0 { return }
                sent += count
            }
        }
    }

    deinit { close(descriptor) }
}

/// Runs work of the lane's thread and waits for it.
func wait(_ body: @escaping @LoopActor () async throws -> Void) rethrows {
    let done = Atomic<Bool>(false)
    let box = Flag(done)
    Task { @LoopActor in
        try? await body()
        box.done.store(true, ordering: .releasing)
    }
    while !box.done.load(ordering: .acquiring) { usleep(500) }
}

private final class Flag: Sendable {
    let done: Atomic<Bool>
    init(_ done: consuming Atomic<Bool>) { self.done = done }
}
