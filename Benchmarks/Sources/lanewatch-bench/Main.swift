import Glibc

/// `lanewatch-bench [--lanewatch PROGRAM] [--rules FOLDER] [rules] [sec] [delivery] [load] [accept] [rest] [peers]`: all
/// without a name; `accept` is the first half of `load`. `peers` needs KAFKA_HOME in the environment, and has options of its
/// own: `--rounds 3 --brokers 1 --lines 100000 --only NAME,… --kafka linger.ms=5,…`.
@main
enum Main {
    static func main() {
        var words = Array(CommandLine.arguments.dropFirst())
        func option(_ name: String, _ usual: String) -> String {
            guard let place = words.firstIndex(of: name), place + 1 < words.count else { return usual }
            defer { words.removeSubrange(place...place + 1) }
            return words[place + 1]
        }
        let program = option("--lanewatch", ".build-release/release/lanewatch")
        let rules = option("--rules", "rules")
        var peers = PeersBenchmark.Options()
        peers.program = program
        peers.bench = CommandLine.arguments[0]
        peers.rounds = Int(option("--rounds", "")) ?? peers.rounds
        peers.nodes = Int(option("--brokers", "")) ?? peers.nodes
        peers.lines = Int(option("--lines", "")) ?? peers.lines
        peers.settings = option("--kafka", "").split(separator: ",").map { String($0) }
        peers.only = option("--only", "").split(separator: ",").map { String($0) }
        var view = ViewBenchmark.Options()
        view.rounds = peers.rounds
        view.share = Double(option("--share", "")) ?? view.share
        view.only = peers.only
        view.trials = option("--trials", "").split(separator: ",").map { String($0) }
        let viewProgram = option("--view", ".build-release/release/lanewatch-view")
        if words.first == "plain" { return PlainChild.run(Array(words.dropFirst())) }
        func wanted(_ name: String) -> Bool { words.isEmpty || words.contains(name) }
        do {
            if wanted("rules") { try RuleBenchmark.run(program, rules: rules) }
            if wanted("sec") { try SECBenchmark.run(program) }
            if wanted("delivery") { try DeliveryBenchmark.run() }
            if wanted("load") { try LoadBenchmark.run(program) }
            if words.contains("accept") { try LoadBenchmark.run(program, isWhole: false) }
            if wanted("rest") { try RestBenchmark.run(program) }
            if words.contains("view") { ViewBenchmark.run(viewProgram, view) }
            if words.contains("peers") || (words.isEmpty && RealKafka.home != nil) { try PeersBenchmark.run(peers) }
        } catch {
            print("benchmark: \(error)")
        }
    }
}
