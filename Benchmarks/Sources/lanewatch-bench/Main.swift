/// `lanewatch-bench [--lanewatch PROGRAM] [rules] [delivery] [load] [accept] [rest]`: all without a name; `accept`
/// is the first half of `load`.
@main
enum Main {
    static func main() {
        var words = Array(CommandLine.arguments.dropFirst())
        var program = ".build-release/release/lanewatch"
        if let place = words.firstIndex(of: "--lanewatch"), place + 1 < words.count {
            program = words[place + 1]
            words.removeSubrange(place...place + 1)
        }
        func wanted(_ name: String) -> Bool { words.isEmpty || words.contains(name) }
        do {
            if wanted("rules") { RuleBenchmark.run() }
            if wanted("delivery") { try DeliveryBenchmark.run() }
            if wanted("load") { try LoadBenchmark.run(program) }
            if words.contains("accept") { try LoadBenchmark.run(program, isWhole: false) }
            if wanted("rest") { try RestBenchmark.run(program) }
        } catch {
            print("benchmark: \(error)")
        }
    }
}
