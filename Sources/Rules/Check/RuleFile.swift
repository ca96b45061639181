import Lane
import YAML

/// Rule files, read and checked: `docs/reference/rules.md` says what they may hold.
public enum RuleFile {
    /// Rules of one set, at most.
    public static let maximumRules = 5000
    /// Topics that the rules of one set may name, at most. Delivery tells topics apart by 12 bits; what is left of 4096 is for
    /// the agent's own, and for those of earlier sets whose messages still wait.
    public static let maximumTopics = 4000

    /// Reads `files` as one set. Names are global: a file may use what another declares, before or after it.
    ///
    /// There is a rule set exactly where no diagnostic is an error; warnings come only then. The diagnostics are those of the
    /// files in the order of `files`, of each in line order.
    /// - Parameters:
    ///   - files: in load order, which is the order of their names for a folder; `name` is what diagnostics show.
    ///   - wall: what the time is, where it matters that a silence is over; nil in tests and replays.
    public static func load(
        files: [(name: String, bytes: [UInt8])], at wall: WallInstant? = nil
    ) -> (ruleSet: RuleSet?, diagnostics: [Diagnostic]) {
        let vocabulary = Vocabulary()
        var sections: [(reader: SectionReader?, findings: Findings)] = []
        for file in files {
            let document = YAMLDocument(file: file.name, bytes: file.bytes)
            let findings = Findings(document)
            let reader = document.root.flatMap { SectionReader($0, findings, vocabulary) }
            if reader == nil { vocabulary.isIncomplete = true }
            sections.append((reader, findings))
        }
        for section in sections { section.reader?.declareNames() }

        var set = RuleSet()
        var mutes = MuteCheck()
        var warnings = RuleWarnings()
        var topics = TopicCheck()
        for (reader, findings) in sections {
            guard let reader else { continue }
            set.states += reader.states()
            set.overrides += reader.overrides()
            for (silence, place) in reader.silences() {
                set.silences.append(silence)
                warnings.add(silence, findings, place)
            }
            // Past the limit a rule is not read: that there are too many is told below.
            for node in reader.ruleNodes.prefix(maximumRules) {
                guard let ruleReader = RuleReader(node, findings, vocabulary) else { continue }
                mutes.add(ruleReader)
                guard let rule = ruleReader.rule() else { continue }
                set.rules.append(rule)
                topics.add(rule, ruleReader)
                warnings.add(rule, ruleReader)
            }
            checkCount(vocabulary, reader, findings)
        }
        mutes.report()
        guard !sections.contains(where: { $0.findings.hasErrors }) else {
            return (nil, sections.flatMap { $0.findings.inLineOrder }.filter { $0.severity == .error })
        }
        for entry in vocabulary.params.entries { set.params[entry.name] = entry.value.value }
        set.digest = digest(of: files)
        warnings.report(set, vocabulary, at: wall)
        return (set, sections.flatMap { $0.findings.inLineOrder })
    }

    /// `sha256:` and the digest of the files: of each the length of its name, its name, its length, its bytes, the lengths as
    /// eight bytes, the high one first. The name is the last part of a path: the folder does not matter.
    static func digest(of files: [(name: String, bytes: [UInt8])]) -> String {
        var bytes: [UInt8] = []
        func add(_ part: [UInt8]) {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { bytes.append(contentsOf: $0) }
            bytes.append(contentsOf: part)
        }
        for file in files {
            let name = file.name.utf8
            add(Array(name.lastIndex(of: UInt8(ascii: "/")).map { name[name.index(after: $0)...] } ?? name[...]))
            add(file.bytes)
        }
        return "sha256:" + SHA256.hex(bytes)
    }

    /// Reports, in the file that goes past it, that there are too many rules.
    private static func checkCount(_ vocabulary: Vocabulary, _ reader: SectionReader, _ findings: Findings) {
        guard vocabulary.rules.entries.count > maximumRules else { return }
        let first = vocabulary.rules.entries[maximumRules]
        guard first.findings === findings else { return }
        findings.error("more than \(maximumRules) rules in one set", at: first.range)
    }
}

/// Counts the topics that rules and their escalations name.
private struct TopicCheck {
    private var topics: Set<String> = []

    mutating func add(_ rule: Rule, _ reader: RuleReader) {
        let before = topics.count
        topics.insert(rule.topic)
        for escalation in rule.escalations { topics.insert(escalation.topic) }
        guard topics.count > RuleFile.maximumTopics, before <= RuleFile.maximumTopics else { return }
        reader.findings.error(
            "more than \(RuleFile.maximumTopics) topics in one set", at: reader.place,
            help: "consumers tell rules of one topic apart by \"rule\" and \"category\" of the message")
    }
}
