import Lane

@testable import Rules

/// `docs/reference/interventions.md`: what attendants are told, made from the rule files, their comments and their tests.
struct InterventionsPage {
    struct File {
        var name: String
        var comments: RuleComments
        var rules: [Rule]
        var tests: [RuleTest]
    }

    var set: RuleSet
    /// One for each category; the file of what all share is not among them.
    var files: [File]
    /// Of the file that all share.
    var lanes: [String: [String: String]]

    /// Names set off; those of rules lead to their sections.
    private var words: RuleWords {
        let ids = Set(set.rules.map(\.id))
        return RuleWords(set) { ids.contains($0) ? "[\($0)](#\($0))" : "`\($0)`" }
    }

    var text: String {
        var lines = [
            "<!-- Generated from rules/*.yaml and their tests. Do not edit: change them and run `make generate`. -->",
            "",
            "# Interventions", "",
            "What the shipped rules tell an attendant: \(files.flatMap(\.rules).count) interventions in \(files.count) categories, each "
                + "with its rule in plain words,",
            "its numbers with their reasons, and the names of its tests. [Rules](rules.md) explains the format, [signals](signals.md) what a",
            "lane can say. Numbers are those of a lane that has none of its own.", "",
            "| category | interventions |", "|---|---|",
        ]
        for file in files {
            let links = file.rules.map { "[\($0.id)](#\($0.id))" }.joined(separator: ", ")
            lines.append("| [\(file.category)](#\(file.category)) | \(links) |")
        }
        for file in files { lines += section(file) }
        lines += [
            "", "## What the lane remembers", "", "Conditions such as `basket is open` ask for these states.", "",
        ]
        lines += ["| state | value | set by |", "|---|---|---|"]
        for state in set.states {
            for value in state.values { lines.append("| `\(state.name)` | \(value.name) | \(words.setting(value)) |") }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func section(_ file: File) -> [String] {
        var lines = ["", "## \(file.category)", "", file.comments.title, ""]
        lines += ["| intervention | an attendant reads | severity | what it means |", "|---|---|---|---|"]
        for rule in file.rules {
            let meaning = Self.cell(Self.sentence(file.comments.meanings[rule.id] ?? ""))
            lines.append("| [\(rule.id)](#\(rule.id)) | \(rule.title) | \(severities(rule)) | \(meaning) |")
        }
        for rule in file.rules { lines += section(rule, file) }
        return lines
    }

    private func severities(_ rule: Rule) -> String {
        ([rule.severity] + rule.escalations.map(\.severity)).map(\.name).joined(separator: " → ")
    }

    private func section(_ rule: Rule, _ file: File) -> [String] {
        var lines = ["", "### \(rule.id)", "", "**\(rule.title).** \(file.comments.meanings[rule.id] ?? "")", ""]
        lines.append("- Raised \(words.raised(rule)), as \(rule.severity.name), told to `\(rule.topic)`.")
        lines += words.guards(rule).map { "- Raised \($0)." }
        lines += words.keptBack(rule).map { "- Not raised \($0)." }
        lines += words.escalated(rule).map { "- Becomes \($0)." }
        lines += words.cleared(rule).map { "- Cleared \($0)." }
        if rule.isRemote { lines.append("- Can be resolved without walking there.") }
        let numbers = numbers(of: rule, file)
        if !numbers.isEmpty { lines += ["", "| number | value | why |", "|---|---|---|"] + numbers }
        let own = file.tests.filter { ShippedRulesTests.subject($0) == rule.id }
        lines += ["", "Tests, in `rules/\(file.category).test.yaml`:", ""]
        lines += own.map { "- " + $0.name.dropFirst(rule.id.count + 3) }
        return lines
    }

    /// The parameters that the rule uses, and its own keys that have a comment.
    private func numbers(of rule: Rule, _ file: File) -> [String] {
        var rows: [String] = []
        for param in file.comments.params where Self.params(of: rule).contains(param.key) {
            rows.append("| `\(param.key)` | \(param.value) | \(Self.cell(param.reason)) |")
            for (pattern, value) in overrides(of: param.key) {
                let reason = lanes["[\"\(pattern)\"]"]?[param.key] ?? ""
                rows.append("| … on `\(pattern)` | \(value) | \(Self.cell(reason)) |")
            }
        }
        for note in file.comments.notes[rule.id] ?? [] where RuleComments.holdsNumber(note.value) {
            let value = Self.cell(Self.plain(note.value))
            rows.append("| `\(note.key)` | \(value) | \(Self.cell(note.reason)) |")
        }
        return rows
    }

    /// Of lanes that work; demonstrations are nobody's reference.
    private func overrides(of param: String) -> [(pattern: String, value: String)] {
        set.overrides.flatMap { override -> [(String, String)] in
            guard let value = override.set[param] else { return [] }
            return override.match.filter { !$0.text.hasPrefix("demo") }.map { ($0.text, Self.text(value)) }
        }
    }

    private static func text(_ value: ParamValue) -> String {
        switch value {
        case .duration(let milliseconds): return ResultLine.time(milliseconds: milliseconds)
        case .count(let count): return String(count)
        }
    }

    /// The parameters that a rule names.
    static func params(of rule: Rule) -> Set<String> {
        var terms: [DurationTerm?] = [rule.clearAfter, rule.cooldown] + rule.escalations.map(\.after)
        var names: Set<String> = []
        switch rule.shape {
        case .atOnce: break
        case .noAnswer(_, _, let within): terms.append(within)
        case .tooMany(_, let count, let within, _):
            terms.append(within)
            if case .param(let name) = count { names.insert(name) }
        case .lasts(_, let wait, _): terms.append(wait)
        }
        for case .param(let name)? in terms { names.insert(name) }
        return names
    }

    /// Without quotes; of an escalation, when.
    private static func plain(_ value: String) -> String {
        if let after = value.firstRange(of: "{after: ") {
            return String(value[after.upperBound...].prefix { $0 != "," })
        }
        return value.filter { $0 != "\"" }
    }

    /// The first sentence.
    private static func sentence(_ text: String) -> String {
        text.firstRange(of: ". ").map { text[..<$0.lowerBound] + "." } ?? text
    }

    private static func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
}

extension InterventionsPage.File {
    /// A file is named for its category.
    var category: String { String(name.dropLast(".yaml".count)) }
}
