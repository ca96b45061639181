/// `lanewatch-bench [rules] [delivery]`: all without a name.
@main
enum Main {
    static func main() {
        let names = CommandLine.arguments.dropFirst().filter { !$0.hasPrefix("-") }
        func wanted(_ name: String) -> Bool { names.isEmpty || names.contains(name) }
        do {
            if wanted("rules") { RuleBenchmark.run() }
            if wanted("delivery") { try DeliveryBenchmark.run() }
        } catch {
            print("benchmark: \(error)")
        }
    }
}
