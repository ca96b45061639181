import Glibc
import Loop

/// One of those that are compared: how it is set up and started.
struct Product {
    enum Kind {
        /// Our agent: each line is answered once it is on the disk.
        case ours
        /// librdkafka alone, told through its standard input; nothing is kept.
        case plain(wide: Bool)
        /// A forwarder with `words` to start it in a folder.
        case forwarder(configuration: String, fill: [String: String], words: (String) -> [String])
    }

    let name: String
    let topic: String
    let kind: Kind
    /// A forwarder that takes a few hundred lines a second is given fewer.
    var share = 1.0
    /// It takes a minute to say that it is slow: once is enough.
    var isOnce = false

    static let oursTopic = "sco.interventions"

    static func all(program: String, bench: String, template: String) -> [Product] {
        [
            Product(name: "plain librdkafka, our settings", topic: "plain", kind: .plain(wide: false)),
            Product(name: "plain librdkafka, wide window", topic: "plain.wide", kind: .plain(wide: true)),
            Product(name: "Lanewatch", topic: oursTopic, kind: .ours),
        ] + peers()
    }

    private static let root = ".deps/peers/root"

    /// Absolute: the programs run in folders of their own.
    private static var base: String {
        guard let here = getcwd(nil, 0) else { return root }
        defer { free(here) }
        return String(cString: here) + "/" + root
    }

    static var libraries: String {
        ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib/syslog-ng"].map { "\(base)/\($0)" }
            .joined(separator: ":")
    }

    private static func peers() -> [Product] {
        let base = base
        let syslog: (String) -> [String] = { folder in
            [
                "\(base)/usr/sbin/syslog-ng", "-F", "--no-caps", "-f", "\(folder)/configuration", "-R",
                "\(folder)/persist", "-p", "\(folder)/pid", "-c", "\(folder)/control", "--module-path",
                "\(base)/usr/lib/syslog-ng/3.38",
            ]
        }
        let modules = "\(base)/usr/lib/x86_64-linux-gnu/rsyslog"
        let rsyslog: (String) -> [String] = { folder in
            ["\(base)/usr/sbin/rsyslogd", "-n", "-f", "\(folder)/configuration", "-i", "\(folder)/pid", "-M", modules]
        }
        return [
            Product(
                name: "syslog-ng, reliable disk buffer", topic: "syslog-ng",
                kind: .forwarder(
                    configuration: "syslog-ng.conf", fill: ["sync": "no", "batch": "", "transactional": ""],
                    words: syslog)),
            Product(
                name: "syslog-ng, the same, transactions", topic: "syslog-ng.transactions",
                kind: .forwarder(
                    configuration: "syslog-ng.conf",
                    fill: [
                        "sync": "yes", "batch": "batch-lines(1000) batch-timeout(1)",
                        "transactional": "\"transactional.id\" => \"bench\"",
                    ], words: syslog)),
            Product(
                name: "rsyslog, disk-assisted queue", topic: "rsyslog",
                kind: .forwarder(
                    configuration: "rsyslog.conf",
                    fill: [
                        "modules": modules,
                        "queue": "queue.type=\"LinkedList\" queue.size=\"50000\" queue.checkpointInterval=\"1000\"",
                    ], words: rsyslog)),
            Product(
                name: "rsyslog, disk queue, synced", topic: "rsyslog.disk",
                kind: .forwarder(
                    configuration: "rsyslog.conf",
                    fill: [
                        "modules": modules,
                        "queue": "queue.type=\"Disk\" queue.syncQueueFiles=\"on\" queue.checkpointInterval=\"1\"",
                    ], words: rsyslog), share: 0.02, isOnce: true),
        ]
    }
}

/// A product as a process of its own, with a folder of its own that outlives a restart.
final class ProductProcess {
    let product: Product
    let folder = Scratch()
    private(set) var pid: pid_t = 0
    /// To its standard input, and from its standard output; of the plain one.
    private var input: Int32 = -1
    private var output: Int32 = -1
    private var unread: [UInt8] = []
    private let words: [String]

    var socketPath: String { folder.path + "/socket" }
    var isPlain: Bool { if case .plain = product.kind { true } else { false } }
    var isOurs: Bool { if case .ours = product.kind { true } else { false } }

    init(
        _ product: Product, bootstrap: String, program: String, bench: String, template: String, settings: [String]
    ) throws {
        self.product = product
        switch product.kind {
        case .ours:
            words = [program, "run", "--config", folder.path + "/lanewatch.yaml"]
            try folder.write("rules.yaml", Lines.rules)
            try folder.write(
                "lanewatch.yaml",
                """
                format: 1
                store: "1"
                lane: bench
                state: state
                rules: rules.yaml
                control: false
                socket: {path: socket, lines_per_second: 1000000}
                metrics: {port: \(try Ports.free(1))}
                log: {level: warning, format: json}
                outbox: {max_mib: 1024}
                kafka: {bootstrap.servers: "\(bootstrap)", broker.address.family: v4\(settings.map { ", " + $0.split(separator: "=", maxSplits: 1).joined(separator: ": ") }.joined())}

                """)
        case .plain(let wide):
            words = [bench, "plain", bootstrap, product.topic, wide ? "wide" : "ours", template] + settings
        case .forwarder(let configuration, let fill, let words):
            self.words = words(folder.path)
            var text = Text.file("Benchmarks/Peers/\(configuration)")
            let more = ["folder": folder.path, "socket": socketPath, "bootstrap": bootstrap, "topic": product.topic]
            for (key, value) in fill.merging(more, uniquingKeysWith: { $1 }) {
                text = text.split(separator: "{{\(key)}}", omittingEmptySubsequences: false).joined(separator: value)
            }
            try folder.write("configuration", text)
        }
    }

    /// Starts it, also again, and waits until it takes connections.
    func start() throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var ends: [Int32] = []
        if isPlain {
            var pipes: [Int32] = [0, 0, 0, 0]
            guard pipe(&pipes) == 0, pipes.withUnsafeMutableBufferPointer({ pipe($0.baseAddress.map { $0 + 2 }) }) == 0
            else { throw SystemError("pipe") }
            (input, output) = (pipes[1], pipes[2])
            for end in [input, output] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            posix_spawn_file_actions_adddup2(&actions, pipes[0], 0)
            posix_spawn_file_actions_adddup2(&actions, pipes[3], 1)
            ends = [pipes[0], pipes[3]]
        } else {
            unlink(socketPath)
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
            posix_spawn_file_actions_addopen(&actions, 1, folder.path + "/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        }
        posix_spawn_file_actions_addopen(&actions, 2, folder.path + "/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var environment: [UnsafeMutablePointer<CChar>?] = [strdup("PATH=/usr/bin:/bin"), strdup("TZ=UTC")]
        if case .forwarder = product.kind { environment.append(strdup("LD_LIBRARY_PATH=\(Product.libraries)")) }
        environment.append(nil)
        defer { for word in arguments + environment { free(word) } }
        let code = posix_spawnp(&pid, words[0], &actions, nil, &arguments, &environment)
        for end in ends { close(end) }
        guard code == 0 else { throw RealKafka.Failure(description: "\(words[0]) does not start: \(code)") }
        guard !isPlain else { return }
        let end = Boottime.milliseconds() + 20_000
        while Peer(socketPath) == nil {
            var status: Int32 = 0
            let isOver = waitpid(pid, &status, WNOHANG) == pid
            if isOver { pid = 0 }
            guard !isOver, Boottime.milliseconds() < end else {
                throw RealKafka.Failure(
                    description: "\(product.name) does not start: \(Text.file(folder.path + "/log"))")
            }
            usleep(10_000)
        }
    }

    func kill(_ signal: Int32 = SIGKILL) {
        guard pid > 0 else { return }
        for end in [input, output] where end >= 0 { close(end) }
        (input, output) = (-1, -1)
        Glibc.kill(pid, signal)
        var status: Int32 = 0
        let end = Boottime.milliseconds() + 8000
        while waitpid(pid, &status, WNOHANG) == 0 {
            if Boottime.milliseconds() > end { Glibc.kill(pid, SIGKILL) }
            usleep(5000)
        }
        pid = 0
    }

    /// Ends it in order, or at once where it does not; its folder goes.
    func end() {
        kill(SIGTERM)
        folder.remove()
    }

    // MARK: What it costs

    /// Time on processors so far, of all its threads, also of those that ended. Source: clock_getcpuclockid(3).
    var cpu: Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(pid, &clock) == 0, clock_gettime(clock, &time) == 0 else { return .nan }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// In MB. Source: proc(5), smaps_rollup.
    var memory: (rss: Double, pss: Double) { Self.memory(of: pid) }

    static func memory(of pid: pid_t) -> (rss: Double, pss: Double) {
        let text = Text.file("/proc/\(pid)/smaps_rollup")
        func value(_ name: String) -> Double {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name) }
            return (line?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? .nan) / 1024
        }
        return (value("Rss:"), value("Pss:"))
    }

    // MARK: The plain one

    func tell(_ line: String) {
        var bytes = Array((line + "\n").utf8)
        _ = write(input, &bytes, bytes.count)
    }

    /// The next line that it says; nil once `seconds` are over.
    func hear(within seconds: Double) -> String? {
        let end = Boottime.nanoseconds() + Int64(seconds * 1e9)
        while true {
            if let place = unread.firstIndex(of: 10) {
                defer { unread.removeSubrange(0...place) }
                return String(decoding: unread[0..<place], as: UTF8.self)
            }
            let left = (end - Boottime.nanoseconds()) / 1_000_000
            var wanted = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard left > 0, poll(&wanted, 1, Int32(left)) > 0 else { return nil }
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = read(output, &piece, piece.count)
            guard count > 0 else { return nil }
            unread += piece[0..<count]
        }
    }
}
