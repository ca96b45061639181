import Agent
import Lane
import Rules

/// The rule sets that are measured.
enum BenchmarkRules {
    static let lane = LaneIdentity(store: "1", lane: "L07")

    private static let head = """
        format: 1
        states:
          basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle|void|closed}
        rules:

        """

    /// One rule of each shape that keeps something: no answer, too many, it lasts.
    private static let three = """
          - {id: payment-timeout, on: payment.started, unless: [payment.approved, payment.declined], same: pay, within: 45s, severity: warning}
          - {id: three-declines, on: payment.declined, count: 3, within: 2m, unless: payment.approved, severity: warning, clear_when: payment.approved, clear_after: 10m}
          - {id: abandoned-basket, when: basket is open, for: 60s, unless: [touch, scan.read, item.accepted, scale.stable], severity: info}

        """

    /// A rule that the stream never meets, as what it is on and the value it wants: half are on a type that the stream has, with
    /// a value that it has not; half on a type that it has not.
    static func idle(_ number: Int) -> (type: String, attribute: String, value: String) {
        number % 2 == 0 ? ("item.refused", "reason", "reason\(number)") : ("pos.state", "state", "state\(number)")
    }

    private static func idle(_ numbers: Range<Int>) -> String {
        var text = ""
        for number in numbers {
            let rule = idle(number)
            text +=
                "  - {id: r\(number), on: \(rule.type) where \(rule.attribute) = \(rule.value), severity: info, clear_after: 1m}\n"
        }
        return text
    }

    /// Three rules, and as many more that the stream never meets as make `count`.
    static func file(_ count: Int) -> String { head + three + idle(0..<max(0, count - 3)) }

    /// `count` rules of which each waits for the answer of each payment.
    private static func waiting(_ count: Int) -> String {
        var text = head
        for number in 0..<count {
            text +=
                "  - {id: w\(number), on: payment.started, unless: payment.approved, same: pay, within: \(45 + number)s, severity: info}\n"
        }
        return text
    }

    // MARK: Read and checked

    static func synthetic(_ count: Int) -> RuleSet { set([("bench.yaml", Array(file(count).utf8))]) }

    static func allWaiting(_ count: Int) -> RuleSet { set([("bench.yaml", Array(waiting(count).utf8))]) }

    /// The folder of shipped rules, with `more` that the stream never meets.
    static func shipped(_ folder: String, more: Int = 0) -> RuleSet? {
        let read = RuleFiles.read([folder])
        guard read.faults.isEmpty else {
            print("benchmark: \(folder): \(read.faults.map { $0.rendered() }.joined())")
            return nil
        }
        var files = read.files
        if more > 0 { files.append((name: "more.yaml", bytes: Array(("format: 1\nrules:\n" + idle(0..<more)).utf8))) }
        return set(files)
    }

    static func set(_ files: [(name: String, bytes: [UInt8])]) -> RuleSet {
        let loaded = RuleFile.load(files: files)
        guard let set = loaded.ruleSet else { fatalError(loaded.diagnostics.map { $0.rendered() }.joined()) }
        return set
    }

    static func table(_ set: RuleSet) -> RuleTable { RuleTable(set, lane: lane) }
}
