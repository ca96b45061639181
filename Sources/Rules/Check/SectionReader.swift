import Lane
import YAML

/// Reads what stands beside the rules in a file: parameters, lists, states, lane overrides, silences.
///
/// In two passes over all files: first the names are declared, then whatever uses names is read.
struct SectionReader {
    static let keys = ["format", "params", "lists", "states", "lanes", "silences", "rules"]
    static let laneKeys = ["match", "set"]
    static let silenceKeys = ["rules", "lanes", "until", "why"]

    private let findings: Findings
    private let vocabulary: Vocabulary
    private let top: YAMLMapping

    /// Nil where the file is no mapping. Unknown keys are reported, and a format that is not ours.
    init?(_ root: YAMLNode, _ findings: Findings, _ vocabulary: Vocabulary) {
        if root.isNull {
            findings.error("the file is empty; it begins with \"format: 1\"", at: root.range)
            return nil
        }
        if let (what, range, help) = Self.otherKind(root) {
            findings.error("this is \(what), not a rule file", at: range, help: help)
            return nil
        }
        guard let top = YAMLMapping(root, "a rule file", keys: Self.keys, findings) else { return nil }
        self.top = top
        self.findings = findings
        self.vocabulary = vocabulary
        if !top.has("format") {
            findings.error("the file needs \"format: 1\"", at: top.beginning, help: "write it as the first line")
        } else if top["format"]?.scalar?.int != 1, let node = top["format"], !node.isRefused {
            findings.error(
                "\"format\" must be 1, not \(node.described)", at: node.range, help: "this version reads format 1")
        }
    }

    /// What the file is, where it is plainly one of our other files, with the key that says so and the way out.
    private static func otherKind(_ root: YAMLNode) -> (what: String, range: SourceRange, help: String)? {
        guard case .mapping(let pairs) = root.content else { return nil }
        func key(_ name: String) -> SourceRange? { pairs.first { $0.key == name }?.keyRange }
        if let tests = key("tests") { return ("a file of tests", tests, "run it: lanewatch test FILE") }
        if key("rules") == nil, let signals = key("signals") {
            return (
                "a signal catalogue", signals,
                "the agent has its own compiled in; leave the file out, or name its folder"
            )
        }
        if key("store") != nil, let kafka = key("kafka") {
            return ("a configuration", kafka, "check it: lanewatch check --config FILE")
        }
        return nil
    }

    // MARK: First pass

    func declareNames() {
        for pair in top.mapping("params", "\"params\"")?.pairs ?? [] { declareParam(pair) }
        for pair in top.mapping("lists", "\"lists\"")?.pairs ?? [] { declareList(pair) }
        for pair in top.mapping("states", "\"states\"")?.pairs ?? [] { declareState(pair) }
        for node in top.list("rules", of: "rules") {
            guard case .mapping(let pairs) = node.content, let id = pairs.first(where: { $0.key == "id" })?.value,
                let scalar = id.scalar, !scalar.isNull
            else { continue }
            vocabulary.rules.declare(scalar.text, (), at: id.range, findings)
        }
    }

    private func declareParam(_ pair: YAMLPair) {
        let text = pair.value.scalar?.text ?? ""
        var value: ParamValue?
        if let scalar = pair.value.scalar, let number = scalar.int {
            if TermReader.counts.contains(number) {
                value = .count(Int(number))
            } else {
                findings.error(
                    "parameter \(Shown.quoted(pair.key)) must be 2 to 1000, not \(number)", at: pair.value.range,
                    help: "a parameter is a count (2 to 1000) or a duration (500ms, 45s, 2m, 1h)")
            }
        } else if let milliseconds = DurationScalar.milliseconds(text), milliseconds > 0 {
            value = .duration(milliseconds)
        } else if !pair.value.isRefused {
            let fix = DurationScalar.meaning(of: text).map { "; write \"\($0)\"" } ?? ""
            findings.error(
                "parameter \(Shown.quoted(pair.key)) must be a duration or a count, not \(pair.value.described)\(fix)",
                at: pair.value.range, help: fix.isEmpty ? "as 500ms, 45s, 2m, 1h, or 2 to 1000" : nil)
        }
        vocabulary.params.declare(pair.key, ParamDeclaration(value: value, text: text), at: pair.keyRange, findings)
    }

    private func declareList(_ pair: YAMLPair) {
        var elements: [String] = []
        switch pair.value.content {
        case .sequence(let nodes):
            if nodes.isEmpty { findings.error("list \(Shown.quoted(pair.key)) is empty", at: pair.value.range) }
            elements = nodes.compactMap { top.text($0, "each element of list \(Shown.quoted(pair.key))") }
        case .refused: break
        default:
            findings.error(
                "list \(Shown.quoted(pair.key)) needs a list of text, not \(pair.value.described)",
                at: pair.value.range,
                help: "write \(Shown.plain(pair.key)): [A, B]")
        }
        vocabulary.lists.declare(pair.key, elements, at: pair.keyRange, findings)
    }

    private func declareState(_ pair: YAMLPair) {
        var names = StateNames(place: vocabulary.states.entries.count, values: nil)
        if let scalar = pair.value.scalar, !scalar.isNull {
            findings.error(
                "state \(Shown.quoted(pair.key)) must be a mapping (value: signals), not \(pair.value.described)",
                at: pair.value.range,
                help: "write \(Shown.plain(pair.key)): {VALUE: SIGNAL, VALUE: [SIGNAL, SIGNAL]}")
        } else if let values = YAMLMapping(pair.value, "state \(Shown.quoted(pair.key))", findings) {
            if values.pairs.isEmpty {
                findings.error("state \(Shown.quoted(pair.key)) has no values", at: pair.value.range)
            } else {
                names.values = values.pairs.map(\.key)
            }
            for value in values.pairs where !isName(value.key) {
                findings.error(
                    "\(Shown.quoted(value.key)) cannot be a value of state \(Shown.quoted(pair.key))",
                    at: value.keyRange,
                    help: "names are of letters a-z and A-Z, digits, \"_\" and \"-\", and do not begin with \"-\"")
            }
        }
        vocabulary.states.declare(pair.key, names, at: pair.keyRange, findings)
    }

    // MARK: Second pass

    /// The nodes of the rules; what is no list was reported in the first pass.
    var ruleNodes: [YAMLNode] { if case .sequence(let nodes)? = top["rules"]?.content { nodes } else { [] } }

    func states() -> [StateDeclaration] {
        guard case .mapping(let pairs)? = top["states"]?.content else { return [] }
        let matches = MatchReader(findings, vocabulary)
        return pairs.compactMap { pair in
            // Its own file's faults were told in the first pass.
            guard case .mapping(let values) = pair.value.content else { return nil }
            let quiet = YAMLMapping(pair.value, "", findings)
            return StateDeclaration(
                name: pair.key,
                values: values.map { value in
                    .init(name: value.key, setBy: quiet.map { matches.matches(value.key, of: $0) } ?? [])
                })
        }
    }

    func overrides() -> [LaneOverride] {
        top.mappings("lanes", "a lane override", keys: Self.laneKeys).map { mapping in
            mapping.require("match", "set")
            let match = RuleReader.lanePatterns("match", of: mapping, isListOnly: true, findings)
            var set: [String: ParamValue] = [:]
            for pair in mapping.mapping("set", "\"set\"")?.pairs ?? [] { set[pair.key] = override(pair) }
            return LaneOverride(match: match, set: set)
        }
    }

    /// The new value of a parameter, of the same kind as its declaration.
    private func override(_ pair: YAMLPair) -> ParamValue? {
        let name = pair.key
        guard let declared = vocabulary.params[name] else {
            if !vocabulary.isIncomplete {
                findings.unknown(
                    "no parameter \(Shown.quoted(name))", name, at: pair.keyRange, among: vocabulary.params.names,
                    fixed: "declare it under params: at the top of the file")
            }
            return nil
        }
        guard let kind = declared.value, !pair.value.isRefused else { return nil }
        switch kind {
        case .duration:
            let text = pair.value.scalar?.text ?? ""
            if let milliseconds = DurationScalar.milliseconds(text) {
                if milliseconds > 0 { return .duration(milliseconds) }
                findings.error(
                    "parameter \(Shown.quoted(name)) must be at least 1ms, not \(Shown.plain(text))",
                    at: pair.value.range)
                return nil
            }
        case .count:
            if let number = pair.value.scalar?.int {
                if TermReader.counts.contains(number) { return .count(Int(number)) }
                findings.error("parameter \(Shown.quoted(name)) must be 2 to 1000, not \(number)", at: pair.value.range)
                return nil
            }
        }
        let isDuration = if case .duration = kind { true } else { false }
        let fix =
            isDuration ? DurationScalar.meaning(of: pair.value.scalar?.text ?? "").map { "; write \"\($0)\"" } : nil
        findings.error(
            "parameter \(Shown.quoted(name)) \(declared.phrase), not \(pair.value.described)\(fix ?? "")",
            at: pair.value.range)
        return nil
    }

    /// `; write "…"` where a moment is meant that lacks its zone, its seconds or its time.
    private static func meantMoment(_ text: String) -> String {
        let whole = text.split(separator: " ", maxSplits: 1).joined(separator: "T")
        let meant = ["Z", ":00Z", "T00:00:00Z"].map { whole + $0 }.first { WallInstant(rfc3339: $0) != nil }
        return meant.map { "; write \(Shown.quoted($0))" } ?? ""
    }

    /// Each silence, and where its end is written.
    func silences() -> [(silence: Silence, until: SourceRange)] {
        top.mappings("silences", "a silence", keys: Self.silenceKeys).compactMap { mapping in
            mapping.require("rules", "until", "why")
            let rules = mapping.texts("rules", isRequired: true)
            for (text, node) in rules where !vocabulary.rules.contains(text) && !vocabulary.isIncomplete {
                RuleReader.unknownRule(text, at: node.range, vocabulary, findings)
            }
            let lanes = RuleReader.lanePatterns("lanes", of: mapping, findings)
            let why = mapping.text("why")
            if why?.isEmpty == true {
                findings.error(
                    "\"why\" is empty; say what the silence is for", at: mapping.range(of: "why"),
                    help: "whoever finds it later has to know whether it may go")
            }
            guard let text = mapping.text("until") else { return nil }
            guard let until = WallInstant(rfc3339: text) else {
                findings.error(
                    "\"until\" needs a moment, not \(Shown.quoted(text))\(Self.meantMoment(text))",
                    at: mapping.range(of: "until"),
                    help: "a date, a time and where it holds: 2026-12-01T06:00:00Z, 2026-12-01T07:00:00+01:00")
                return nil
            }
            let silence = Silence(rules: rules.map(\.text), lanes: lanes, until: until, why: why ?? "")
            return (silence, mapping.range(of: "until"))
        }
    }
}
