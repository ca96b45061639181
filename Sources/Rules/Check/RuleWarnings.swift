import Lane
import YAML

/// What is not wrong but looks like a slip; told only for files without errors.
struct RuleWarnings {
    private struct Placed {
        var rule: Rule
        var findings: Findings
        var place: SourceRange
        var clearAfter: SourceRange
        var topic: SourceRange
        var escalate: SourceRange
    }

    private var rules: [Placed] = []
    private var silences: [(silence: Silence, findings: Findings, place: SourceRange)] = []

    mutating func add(_ silence: Silence, _ findings: Findings, _ place: SourceRange) {
        silences.append((silence, findings, place))
    }

    mutating func add(_ rule: Rule, _ reader: RuleReader) {
        rules.append(
            Placed(
                rule: rule, findings: reader.findings, place: reader.place,
                clearAfter: reader.mapping.range(of: "clear_after"), topic: reader.mapping.range(of: "topic"),
                escalate: reader.mapping.range(of: "escalate")))
    }

    /// - Parameter wall: nil: nobody says what the time is.
    func report(_ set: RuleSet, _ vocabulary: Vocabulary, at wall: WallInstant?) {
        for entry in vocabulary.params.entries where !entry.isUsed {
            entry.findings.warning("no rule uses parameter \(Shown.quoted(entry.name))", at: entry.range)
        }
        for entry in vocabulary.lists.entries where !entry.isUsed {
            entry.findings.warning("no match uses list \(Shown.quoted(entry.name))", at: entry.range)
        }
        for entry in vocabulary.states.entries where !entry.isUsed {
            entry.findings.warning("no rule asks for state \(Shown.quoted(entry.name))", at: entry.range)
        }
        for placed in rules {
            reportShortClear(placed, set)
            reportShadowTopic(placed)
        }
        if let wall { for silence in silences where silence.silence.until <= wall { reportOver(silence) } }
        reportShadowed()
    }

    private func reportOver(_ entry: (silence: Silence, findings: Findings, place: SourceRange)) {
        let names = entry.silence.rules.prefix(3).map { Shown.quoted($0) }.joined(separator: ", ")
        let more = entry.silence.rules.count > 3 ? ", …" : ""
        entry.findings.warning(
            "this silence is over: \(names)\(more) may be raised again", at: entry.place,
            help: "take it out, or give it a later end")
    }

    /// `within` longer than `clear_after`: what is raised is over before the time is that it is judged by.
    private func reportShortClear(_ placed: Placed, _ set: RuleSet) {
        let within: DurationTerm
        switch placed.rule.shape {
        case .noAnswer(_, _, let term), .tooMany(_, _, let term, _): within = term
        case .atOnce, .lasts: return
        }
        guard let clearAfter = placed.rule.clearAfter, let wait = milliseconds(within, set),
            let clear = milliseconds(clearAfter, set), wait > clear
        else { return }
        let (longer, shorter) = (DurationScalar.text(wait), DurationScalar.text(clear))
        placed.findings.warning(
            "rule \(Shown.quoted(placed.rule.id)): \"within\" (\(longer)) is longer than \"clear_after\" (\(shorter))",
            at: placed.clearAfter)
    }

    private func milliseconds(_ term: DurationTerm, _ set: RuleSet) -> Int64? {
        switch term {
        case .milliseconds(let milliseconds): return milliseconds
        case .param(let name):
            if case .duration(let milliseconds)? = set.params[name] { return milliseconds } else { return nil }
        }
    }

    /// What a shadow rule raises goes to the shadow topic, whatever it names.
    private func reportShadowTopic(_ placed: Placed) {
        guard placed.rule.isShadow, placed.rule.isEnabled else { return }
        let hasTopic = placed.rule.topic != TopicNames().interventions
        guard hasTopic || placed.rule.escalations.contains(where: { $0.topic != placed.rule.topic }) else { return }
        placed.findings.warning(
            "rule \(Shown.quoted(placed.rule.id)): \"topic\" counts for nothing while \"mode\" is shadow",
            at: hasTopic ? placed.topic : placed.escalate)
    }

    /// A rule that fires exactly when another one does, and tells the same topic. Rules in shadow mode are meant to.
    private func reportShadowed() {
        struct Trigger: Hashable {
            var shape: Shape
            var same: Set<String>
            var whileCondition: Condition?
            var at: DaySpan?
            var lanes: [LanePattern]
            var topic: String
        }
        var first: [Trigger: String] = [:]
        for placed in rules where placed.rule.isEnabled && !placed.rule.isShadow {
            let rule = placed.rule
            let trigger = Trigger(
                shape: rule.shape, same: Set(rule.same.map(\.name)), whileCondition: rule.whileCondition, at: rule.at,
                lanes: rule.lanes, topic: rule.topic)
            if let other = first[trigger] {
                placed.findings.warning(
                    "rule \(Shown.quoted(rule.id)) fires exactly when rule \(Shown.quoted(other)) does, and tells the same topic",
                    at: placed.place)
            } else {
                first[trigger] = rule.id
            }
        }
    }
}
