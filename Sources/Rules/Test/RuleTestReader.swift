import Lane
import YAML

/// Reads one test of a test file; what is wrong goes to its findings, with the place of the word at fault.
struct RuleTestReader {
    static let keys = ["name", "lane", "at", "until", "given", "expect"]

    private let mapping: YAMLMapping
    private var findings: Findings { mapping.findings }

    init(_ mapping: YAMLMapping) { self.mapping = mapping }

    func read() -> RuleTest? {
        mapping.require("name", "given", "expect")
        let name = mapping.text("name")
        let lane = mapping.text("lane") ?? "L07"
        let start = start()
        let length = mapping.duration("until") ?? TestTimeline.defaultLength
        var steps: [TestStep] = []
        for node in mapping.list("given", of: "signals") {
            guard let text = mapping.text(node, "each line of \"given\""), let step = step(text, node) else { continue }
            if let fault = TestOrder.fault(of: step, after: steps) {
                findings.error(fault, at: node.range)
            } else {
                steps.append(step)
            }
        }
        let expected = mapping.list("expect", of: "result lines").compactMap { node in
            mapping.text(node, "each line of \"expect\"").flatMap { expectation($0, node) }
        }
        guard let name, let start else { return nil }
        return RuleTest(
            name: name, range: mapping["name"]?.range, lane: lane,
            timeline: TestTimeline(start: start, steps: steps, length: length), expected: expected)
    }

    private func report(_ fault: GivenLine.Fault, _ node: YAMLNode) {
        findings.error(fault.message, at: node.range(ofBytes: fault.range), help: fault.help)
    }

    // MARK: at

    /// `2026-01-05T22:00:00Z`, `2026-01-05 22:00`, or `22:00` of the default day.
    private func start() -> WallInstant? {
        guard let node = mapping["at"] else { return TestTimeline.defaultStart }
        guard let text = mapping.text("at") else { return nil }
        let day = TestTimeline.defaultStart.rfc3339.prefix(10)
        for candidate in [text, text + "Z", text + ":00Z", "\(day)T\(text)Z", "\(day)T\(text):00Z"] {
            if let found = WallInstant(rfc3339: candidate) { return found }
        }
        findings.error(
            "\"at\" needs a moment of the wall clock, not \(node.described)", at: node.range,
            help: "write 2026-01-05T22:00:00Z, or 22:00 for that day; tests run in UTC")
        return nil
    }

    // MARK: given

    private func step(_ text: String, _ node: YAMLNode) -> TestStep? {
        do throws(GivenLine.Fault) {
            var words = try LineWords(text)
            if let time = words.next(), let mark = words.next(), mark.text == "!" {
                guard let after = ResultLine.milliseconds(of: time.text) else {
                    throw GivenLine.Fault(
                        message: "a line begins with its time (45s, 500ms, 2m), not \(Shown.quoted(time.text))",
                        range: time.range)
                }
                return try event(after, words.rest, mark.range)
            }
            return .signal(try GivenLine(parsing: text))
        } catch {
            report(error, node)
            return nil
        }
    }

    private func event(
        _ after: Int64, _ words: [LineWords.Word], _ mark: Range<Int>
    ) throws(GivenLine.Fault) -> TestStep {
        let forms =
            "one of: ! restart 20s, ! crash 20s, ! suspend 5m, ! gap scanner 3s, ! clock +1h, ! reload other.yaml"
        let whole = mark.lowerBound..<(words.last?.range.upperBound ?? mark.upperBound)
        if words.first?.text == "gap" {
            guard words.count == 3 else {
                throw GivenLine.Fault(
                    message: "\"gap\" needs what is blind, and for how long: ! gap scanner 3s", range: whole)
            }
            return .gap(
                after: after, source: try source(words[1]), length: try duration(words[2].text[...], words[2], "gap"))
        }
        guard words.count == 2 else {
            throw GivenLine.Fault(message: "an event is \"!\", its name and one word", range: whole, help: forms)
        }
        let (name, word) = (words[0], words[1])
        func away() throws(GivenLine.Fault) -> Int64 { try duration(word.text[...], word, name.text) }
        switch name.text {
        case "restart": return .restart(after: after, away: try away())
        case "crash": return .crash(after: after, away: try away())
        case "suspend": return .suspend(after: after, away: try away())
        case "reload": return .reload(after: after, file: word.text)
        case "clock":
            let by = word.text.dropFirst()
            if word.text.hasPrefix("+") { return .clock(after: after, by: try duration(by, word, "clock")) }
            if word.text.hasPrefix("-") { return .clock(after: after, by: -(try duration(by, word, "clock"))) }
            throw GivenLine.Fault(
                message: "\"clock\" needs + or - before its duration (+1h, -5m), not \(Shown.quoted(word.text))",
                range: word.range)
        default:
            let names = ["restart", "crash", "suspend", "gap", "clock", "reload"]
            let near = EditDistance.nearest(to: name.text, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            throw GivenLine.Fault(message: "no event \(Shown.quoted(name.text))\(near)", range: name.range, help: forms)
        }
    }

    private func duration(
        _ text: Substring, _ word: LineWords.Word, _ event: String
    ) throws(GivenLine.Fault) -> Int64 {
        guard let time = ResultLine.milliseconds(of: text), time > 0 else {
            throw GivenLine.Fault(
                message: "\"\(event)\" needs a duration (20s, 5m), not \(Shown.quoted(word.text))", range: word.range)
        }
        return time
    }

    private func source(_ word: LineWords.Word) throws(GivenLine.Fault) -> SignalSource {
        if let source = SignalSource(word.text) { return source }
        let near = EditDistance.nearest(to: word.text, among: SignalSource.names)
        throw GivenLine.Fault(
            message: "nothing is called \(Shown.quoted(word.text))" + (near.map { "; did you mean \"\($0)\"?" } ?? ""),
            range: word.range,
            help: "a kind of device or a feed: " + SignalSource.names.joined(separator: ", "))
    }

    // MARK: expect

    /// The line in the form that results have: `1m raise x` reads as `60s raise x`.
    private func expectation(_ text: String, _ node: YAMLNode) -> String? {
        do throws(GivenLine.Fault) {
            let words = try LineWords(text).rest
            let whole = 0..<text.utf8.count
            guard words.count >= 3 else {
                throw GivenLine.Fault(
                    message: "expected a result line: 45s raise payment-timeout pay=P1 warning", range: whole)
            }
            guard let after = ResultLine.milliseconds(of: words[0].text) else {
                throw GivenLine.Fault(
                    message: "a line begins with its time (45s, 500ms, 2m), not \(Shown.quoted(words[0].text))",
                    range: words[0].range)
            }
            let verb = words[1].text
            guard ["raise", "escalate", "clear"].contains(verb) else {
                let names = ["raise", "escalate", "clear"]
                throw GivenLine.Fault(
                    message: "a result is raise, escalate or clear, not \(Shown.quoted(verb))"
                        + (EditDistance.nearest(to: verb, among: names).map { "; did you mean \"\($0)\"?" } ?? ""),
                    range: words[1].range)
            }
            var keys = words[3...]
            var parts = [ResultLine.time(milliseconds: after), verb, words[2].text]
            let severity = verb == "clear" ? nil : keys.popLast()
            if verb != "clear", severity.flatMap({ Severity(name: $0.text) }) == nil {
                throw GivenLine.Fault(
                    message: "\"\(verb)\" ends with a severity: info, warning or critical",
                    range: severity?.range ?? whole)
            }
            for word in keys {
                guard let (name, value, _) = word.assignment else {
                    let help = verb == "clear" ? "a clear has no severity" : nil
                    throw GivenLine.Fault(
                        message: "expected a key, name=value, not \(Shown.quoted(word.text))", range: word.range,
                        help: Severity(name: word.text) == nil ? nil : help)
                }
                parts.append("\(name)=\(ResultLine.quoted(value))")
            }
            if let severity { parts.append(severity.text) }
            return parts.joined(separator: " ")
        } catch {
            report(error, node)
            return nil
        }
    }
}

/// What may follow what in a test.
private enum TestOrder {
    /// Why `step` cannot come after `steps`; nil where it can.
    static func fault(of step: TestStep, after steps: [TestStep]) -> String? {
        if let last = steps.last, step.after < last.end {
            let end = ResultLine.time(milliseconds: last.end)
            return last.end > last.after
                ? "nothing is received before \(end), while the lane is away"
                : "lines stand in order of time: this one is before \(end)"
        }
        guard case .signal(let line) = step else { return nil }
        for case .gap(let after, let source, let length) in steps
        where line.after - after < length && source.types.contains(line.type) {
            let end = ResultLine.time(milliseconds: after.addingReportingOverflow(length).partialValue)
            return "\"\(line.type.name)\" is not received before \(end), while \(source.name) is blind"
        }
        return nil
    }
}
