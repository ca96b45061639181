/// `lanewatch-bench [--lanewatch PROGRAM] [--rules FOLDER] [rules] [sec] [delivery] [load] [accept] [rest]`: all without a
/// name; `accept` is the first half of `load`.
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
        func wanted(_ name: String) -> Bool { words.isEmpty || words.contains(name) }
        do {
            if wanted("rules") { try RuleBenchmark.run(program, rules: rules) }
            if wanted("sec") { try SECBenchmark.run(program) }
            if wanted("delivery") { try DeliveryBenchmark.run() }
            if wanted("load") { try LoadBenchmark.run(program) }
            if words.contains("accept") { try LoadBenchmark.run(program, isWhole: false) }
            if wanted("rest") { try RestBenchmark.run(program) }
        } catch {
            print("benchmark: \(error)")
        }
    }
}
