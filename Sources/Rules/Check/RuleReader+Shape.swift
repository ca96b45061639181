import Lane
import YAML

/// Which of the four shapes a rule has, and what is missing for it.
extension RuleReader {
    /// What stands under the keys that make the shape; faulty parts are reported and left out.
    struct Parts {
        var on: [Match]
        var unless: [Match]
        var count: CountTerm?
        var within: DurationTerm?
        var when: Condition?
        var wait: DurationTerm?
    }

    func parts() -> Parts {
        Parts(
            on: matches.matches("on", of: mapping), unless: matches.matches("unless", of: mapping),
            count: terms.count("count", of: mapping), within: terms.duration("within", of: mapping),
            when: conditions.condition("when", of: mapping), wait: terms.duration("for", of: mapping))
    }

    /// Nil where the rule has no shape, which is reported, or lacks a faulty part.
    func shape(_ parts: Parts) -> Shape? {
        // Each check names what is absent, not what is faulty: that has been told.
        let isComplete: Bool
        switch (mapping.hasOrMeans("on"), mapping.hasOrMeans("when")) {
        case (true, true):
            let condition = mapping["when"]?.scalar.map { Shown.quoted("while: " + $0.text) } ?? "\"while\""
            findings.error(
                "\(name) has both \"on\" and \"when\"; a rule starts from a signal (on) or from a state (when)",
                at: mapping.range(of: "when"), help: "to use the state as a condition, write \(condition)")
            isComplete = false
        case (false, false):
            findings.error("\(name) needs \"on\" (a signal) or \"when\" (a state)", at: place)
            isComplete = false
        case (true, false): isComplete = checkSignalShape()
        case (false, true): isComplete = checkStateShape()
        }
        guard isComplete else { return nil }
        if let when = parts.when, let wait = parts.wait { return .lasts(when: when, for: wait, unless: parts.unless) }
        guard !parts.on.isEmpty else { return nil }
        if let within = parts.within, let count = parts.count {
            return .tooMany(on: parts.on, count: count, within: within, unless: parts.unless)
        }
        if let within = parts.within { return .noAnswer(on: parts.on, unless: parts.unless, within: within) }
        return .atOnce(on: parts.on)
    }

    /// A, B and C.
    private func checkSignalShape() -> Bool {
        let (hasUnless, hasCount, hasWithin) = (
            mapping.hasOrMeans("unless"), mapping.hasOrMeans("count"), mapping.hasOrMeans("within")
        )
        var isComplete = true
        func refuse(_ message: String, _ key: String, help: String? = nil) {
            findings.error("\(name): \(message)", at: mapping.range(of: key), help: help)
            isComplete = false
        }
        if mapping.has("for") {
            refuse("\"for\" goes with \"when\"; with \"on\" write \"within\"", "for")
        } else if hasCount, !hasWithin {
            refuse("\"count\" needs \"within\" (the time in which so many come)", "count")
        } else if hasUnless, !hasWithin {
            refuse("\"unless\" needs \"within\" (how long to wait)", "unless")
        } else if hasWithin, !hasUnless, !hasCount {
            refuse("\"within\" needs \"unless\" (what must come) or \"count\" (how many are too many)", "within")
        }
        // B clears itself when the answer comes after all.
        let isNoAnswer = hasUnless && !hasCount
        if isComplete, !isNoAnswer, !mapping.hasOrMeans("clear_when"), !mapping.hasOrMeans("clear_after") {
            findings.error("\(name) would never clear; add \"clear_when\" or \"clear_after\"", at: place)
            isComplete = false
        }
        return isComplete
    }

    /// D.
    private func checkStateShape() -> Bool {
        var isComplete = true
        func refuse(_ message: String, _ key: String, help: String? = nil) {
            findings.error("\(name): \(message)", at: mapping.range(of: key), help: help)
            isComplete = false
        }
        if mapping.has("count") { refuse("\"count\" goes with \"on\": a state is not counted", "count") }
        if mapping.has("within") { refuse("\"within\" goes with \"on\"; with \"when\" write \"for\"", "within") }
        if mapping.has("same") { refuse("\"same\" goes with \"on\": a state belongs to the whole lane", "same") }
        if mapping.has("while") {
            let parts = ["when", "while"].compactMap { mapping[$0]?.scalar?.text }
            refuse(
                "\"while\" goes with \"on\"; with \"when\" join the conditions", "while",
                help: parts.count == 2 ? "write \(Shown.quoted("when: " + parts.joined(separator: " and ")))" : nil)
        }
        if !mapping.hasOrMeans("for"), !mapping.has("within") {
            refuse("\"when\" needs \"for\" (how long it must last)", "when")
        }
        return isComplete
    }

    /// The attributes of `same`, each declared by every signal that it joins.
    func same(_ parts: Parts) -> [AttributeName] {
        guard !mapping.has("when") else {
            _ = mapping.texts("same")
            return []
        }
        var names: [AttributeName] = []
        var seen: Set<String> = []
        let isNoAnswer = !mapping.has("count")
        let joined = (parts.on + (isNoAnswer ? parts.unless : [])).map(\.type)
        for (text, node) in mapping.texts("same") {
            guard seen.insert(text).inserted else {
                findings.error("\"same\" names \(Shown.quoted(text)) twice", at: node.range)
                continue
            }
            let attribute = AttributeName(text)
            let lacking = joined.first { type in
                attribute.map { SignalCatalogue.shipped[type].declared($0) == nil } ?? true
            }
            if let lacking {
                TestReader.noAttribute(
                    "\(Shown.quoted("same: " + text)) cannot join: signal", text, of: SignalCatalogue.shipped[lacking],
                    at: node.range, findings)
            } else if let attribute {
                names.append(attribute)
            } else {
                findings.unknown(
                    "no attribute \(Shown.quoted(text))", text, at: node.range,
                    among: SignalCatalogue.shipped.attributeNames, listing: "attributes:")
            }
        }
        return names
    }
}
