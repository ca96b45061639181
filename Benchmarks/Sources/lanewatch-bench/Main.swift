@main
enum Main {
    static func main() {
        RuleBenchmark.run()
    }
}
