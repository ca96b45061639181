import Glibc
import Loop
import Synchronization

/// Our agent beside syslog-ng's and rsyslog's Kafka outputs and plain librdkafka, on one real Kafka, in rounds: in each, every
/// product lives three times.
///
/// 1. straight to the brokers: at rest, at 200 lines a second, then as fast as it takes them;
/// 2. through a switch: connected, cut off, a backlog taken, the path back;
/// 3. in the first round only: cut off, some lines taken, kill -9, started again, the path back.
enum PeersBenchmark {
    struct Options {
        var program = ""
        var bench = ""
        var rounds = 3
        var nodes = 1
        /// Lines of a load and of a backlog.
        var lines = 100_000
        var rate = 200
        var paced = 800
        /// `key=value` of librdkafka, for ours and the plain one, over our defaults.
        var settings: [String] = []
        /// Only products whose name has one of these in it.
        var only: [String] = []
    }

    static let writers = 4

    static func run(_ options: Options) throws {
        let begin = Boottime.nanoseconds()
        let kafka = try RealKafka(nodes: options.nodes)
        defer { kafka.end() }
        let log = kafka.folder.path + "/get-peers.log"
        let arePeersThere = ProgramRun(["scripts/get-peers"], output: log, errors: log, limit: 300)?.code == 0
        if !arePeersThere { print("benchmark: without syslog-ng and rsyslog:\n\(Text.file(log))") }
        let template = kafka.folder.path + "/template"
        var products = Product.all(program: options.program, bench: options.bench, template: template)
        if !arePeersThere { products.removeAll { if case .forwarder = $0.kind { true } else { false } } }
        if !options.only.isEmpty {
            products.removeAll { product in !options.only.contains { product.name.contains($0) } }
        }
        try kafka.create(
            TopicsOfOurs.all + ["plain", "plain.wide", "warm"] + products.map(\.topic).filter { $0.contains("syslog") })
        let reader = try TopicReader(
            kafka.direct, topics: Array(Set(products.map(\.topic) + [Product.oursTopic, "plain"])))
        defer { reader.stop() }
        let trial = PeersTrial(options, kafka, reader, templateFile: template)
        try trial.makeTemplate()
        try trial.warmUp()
        for round in 1...max(1, options.rounds) {
            for product in products where round == 1 || !product.isOnce {
                let start = Boottime.nanoseconds()
                do {
                    try trial.direct(product)
                    try trial.outage(product)
                    if round == 1 { try trial.crash(product) }
                } catch {
                    print("benchmark: \(product.name): \(error)")
                    try? kafka.path.restore()
                }
                let seconds = Double(Boottime.nanoseconds() - start) / 1e9
                Progress.say("round \(round) of \(options.rounds): \(product.name), \(figure(seconds)) s")
            }
        }
        PeersTables(options, trial.figures, products.map(\.name), bytes: trial.bytes).show()
        Progress.say("\(figure(Double(Boottime.nanoseconds() - begin) / 1e9)) s in all")
    }

    private static func figure(_ seconds: Double) -> String { round(seconds, 1) }
}

enum TopicsOfOurs {
    static let all = [
        "sco.interventions", "sco.rules.shadow", "sco.lane-state", "sco.device-health", "sco.audit", "sco.attendant",
    ]
}

/// What goes on, beside the tables.
enum Progress {
    static func say(_ text: String) {
        let line = Array(("peers: " + text + "\n").utf8)
        _ = write(2, line, line.count)
    }
}

/// What was found of one product, a sample a round.
struct PeerFigures {
    var p50 = Samples()
    var p99 = Samples()
    /// CPU s per 100 k at that rate: what each line costs alone.
    var pacedCPU = Samples()
    var pacedMissing = 0
    var accepted = Samples()
    /// Lines a second from the first written to the last consumed.
    var throughput = Samples()
    var cpu = Samples()
    var first = Samples()
    var drain = Samples()
    var drainSeconds = Samples()
    var backlog = Samples()
    var rssAtRest = Samples()
    var pssAtRest = Samples()
    var rssPeak = Samples()
    var pssPeak = Samples()
    var taken = 0
    var lost = 0
    var repeated = 0
    var reordered = 0
    var crash: (taken: Int, lost: Int, repeated: Int, reordered: Int)?
}
