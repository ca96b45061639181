import Lane

/// A test that failed, as a timeline: its signals, and between them what it expected beside what came.
public struct TestTranscript: Sendable {
    public enum Mark: String, Hashable, Sendable {
        /// A signal or a step of the test.
        case given = " "
        /// Expected, and it came.
        case both = "="
        /// Expected, and it did not come.
        case expected = "-"
        /// It came, and was not expected.
        case found = "+"
        /// What a signal did to a rule.
        case note = ">"
        /// Stands for lines that are left out.
        case folded = "…"
    }

    public struct Line: Hashable, Sendable {
        public var mark: Mark
        public var text: String

        /// The mark, then the text: results stand out to the left, what a signal did to the right.
        public var shown: String {
            switch mark {
            case .both, .expected, .found: return "\(mark.rawValue) \(text)"
            case .given, .folded: return "      \(text)"
            case .note: return "          → \(text)"
            }
        }
    }

    /// Lines that are shown before and after a difference, at most.
    static let context = 6

    public var lines: [Line]

    /// - Parameter notes: of the rules that differ, to be told between; of a run of the same test.
    public init(_ outcome: RuleTest.Outcome, notes: [Note] = []) {
        let zero = outcome.test.timeline.zero
        let times = ExplainedTimes(zero: zero, style: .lines)
        let differing = outcome.differingRules
        let notes = notes.filter { differing.contains($0.rule) && !$0.kind.isShownByItsLine }
        var timeline = Timeline(outcome.test.timeline.steps, notes, times)
        var lines: [Line] = []
        for result in Self.results(outcome.diff) {
            lines += timeline.take(until: result.after)
            lines.append(result.line)
        }
        lines += timeline.take(until: .max)
        self.lines = Self.folded(lines)
    }

    /// The lines of the diff; those that differ, between two that do not, in order of time.
    private static func results(_ diff: [String]) -> [(after: Int64, line: Line)] {
        var results: [(after: Int64, line: Line)] = []
        var from = 0
        func sort() {
            let places = (from..<results.count).sorted { (results[$0].after, $0) < (results[$1].after, $1) }
            results[from...] = places.map { results[$0] }[...]
        }
        for text in diff {
            let mark: Mark = text.hasPrefix("-") ? .expected : text.hasPrefix("+") ? .found : .both
            let line = Line(mark: mark, text: String(text.dropFirst(2)))
            let after = ResultLine.milliseconds(of: line.text.prefix { $0 != " " }) ?? .max
            if mark == .both { sort() }
            results.append((after, line))
            if mark == .both { from = results.count }
        }
        sort()
        return results
    }

    /// What is far from any difference, left out; all of it where nothing differs.
    private static func folded(_ lines: [Line]) -> [Line] {
        let marked = lines.indices.filter { lines[$0].mark == .expected || lines[$0].mark == .found }
        var isShown = [Bool](repeating: marked.isEmpty, count: lines.count)
        // What happened to the rules that differ is what was asked for.
        for place in lines.indices where lines[place].mark == .note {
            isShown[place] = true
            if place > 0 { isShown[place - 1] = true }
        }
        for place in marked {
            for near in max(0, place - context)...min(lines.count - 1, place + context) { isShown[near] = true }
        }
        var out: [Line] = []
        var place = 0
        while place < lines.count {
            var end = place
            while end < lines.count, !isShown[end] { end += 1 }
            if end - place > 2 {
                out.append(Line(mark: .folded, text: "… \(end - place) lines"))
                place = end
            } else {
                out.append(lines[place])
                place += 1
            }
        }
        return out
    }

    /// Signals, steps and notes in the order in which they happened.
    private struct Timeline {
        private var items: [(after: Int64, line: Line)] = []
        private var next = 0

        init(_ steps: [TestStep], _ notes: [Note], _ times: ExplainedTimes) {
            var rest = steps[...]
            var signals: Int64 = 0
            func add(while test: (TestStep) -> Bool, _ items: inout [(after: Int64, line: Line)]) {
                while let step = rest.first, test(step) {
                    if case .signal = step { signals += 1 }
                    items.append((step.after, Line(mark: .given, text: step.text)))
                    rest = rest.dropFirst()
                }
            }
            for note in notes {
                let after = note.at.milliseconds(since: times.zero)
                if let number = note.cause?.number {
                    add(while: { _ in signals < number }, &items)
                } else {
                    add(while: { $0.after <= after }, &items)
                }
                let time = note.cause == nil ? times.moment(note.at) + " " : ""
                let key = note.key.isEmpty ? "" : " " + note.key.text
                items.append((after, Line(mark: .note, text: "\(time)\(note.rule)\(key): \(note.kind.text(times))")))
            }
            add(while: { _ in true }, &items)
        }

        mutating func take(until end: Int64) -> [Line] {
            var lines: [Line] = []
            while next < items.count, items[next].after <= end {
                lines.append(items[next].line)
                next += 1
            }
            return lines
        }
    }
}

extension RuleTest.Outcome {
    /// The rules of lines that only one side has, in the order of the lines, each once.
    public var differingRules: [String] {
        var rules: [String] = []
        for line in diff where !line.hasPrefix(" ") {
            let words = line.split(separator: " ")
            guard words.count > 3, !rules.contains(String(words[3])) else { continue }
            rules.append(String(words[3]))
        }
        return rules
    }
}

extension TestStep {
    /// As a test file writes it: `0s payment.started pay=P1`, `30s ! restart 20s`.
    public var text: String {
        let time = ResultLine.time(milliseconds: after)
        func duration(_ milliseconds: Int64) -> String { ResultLine.time(milliseconds: milliseconds) }
        switch self {
        case .signal(let line):
            let attributes = line.attributes.map { "\($0.name.name)=\(ResultLine.quoted($0.value.description))" }
            return ([time, line.type.name] + attributes).joined(separator: " ")
        case .restart(_, let away): return "\(time) ! restart \(duration(away))"
        case .crash(_, let away): return "\(time) ! crash \(duration(away))"
        case .gap(_, let source, let length): return "\(time) ! gap \(source.name) \(duration(length))"
        case .suspend(_, let away): return "\(time) ! suspend \(duration(away))"
        case .clock(_, let by): return "\(time) ! clock \(by < 0 ? "-" : "+")\(duration(abs(by)))"
        case .reload(_, let file): return "\(time) ! reload \(file)"
        }
    }
}

extension Note.Kind {
    /// Its result line says the same.
    fileprivate var isShownByItsLine: Bool {
        switch self {
        case .raised, .escalated: return true
        default: return false
        }
    }
}
