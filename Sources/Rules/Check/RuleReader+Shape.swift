import Lane
import YAML

/// Which of the four shapes a rule has, and what is missing for it.
extension RuleReader {
    /// Nil where the rule has no shape, or a part of it is faulty; that is reported.
    func shape() -> Shape? {
        let before = findings.faultCount
        let on = matches.matches("on", of: mapping)
        let unless = matches.matches("unless", of: mapping)
        let count = terms.count("count", of: mapping)
        let within = terms.duration("within", of: mapping)
        let when = conditions.condition("when", of: mapping)
        let wait = terms.duration("for", of: mapping)
        // Each check names what is absent, not what is faulty: that has been told.
        let isComplete: Bool
        switch (mapping.has("on"), mapping.has("when")) {
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
        guard isComplete, findings.faultCount == before, let on, let unless else { return nil }
        if let when, let wait { return .lasts(when: when, for: wait, unless: unless) }
        if let count, let within { return .tooMany(on: on, count: count, within: within, unless: unless) }
        if let within { return .noAnswer(on: on, unless: unless, within: within) }
        return .atOnce(on: on)
    }

    /// A, B and C.
    private func checkSignalShape() -> Bool {
        let (hasUnless, hasCount, hasWithin) = (mapping.has("unless"), mapping.has("count"), mapping.has("within"))
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
        if isComplete, !isNoAnswer, !mapping.has("clear_when"), !mapping.has("clear_after") {
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
        if !mapping.has("for"), !mapping.has("within") {
            refuse("\"when\" needs \"for\" (how long it must last)", "when")
        }
        return isComplete
    }

    /// The attributes of `same`, each declared by every signal that it joins.
    func same(_ shape: Shape?) -> [AttributeName] {
        var names: [AttributeName] = []
        var seen: Set<String> = []
        var joined: [SignalType] = []
        switch shape {
        case .atOnce(let on), .tooMany(let on, _, _, _): joined = on.map(\.type)
        case .noAnswer(let on, let unless, _): joined = on.map(\.type) + unless.map(\.type)
        case .lasts, nil: break
        }
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
                let entry = SignalCatalogue.shipped[lacking]
                let sentence = "\(Shown.quoted("same: " + text)) cannot join: signal \"\(entry.name)\" has no attribute"
                if entry.attributes.isEmpty {
                    findings.error("\(sentence) \(Shown.quoted(text))", at: node.range, help: "it has no attributes")
                } else {
                    findings.unknown(
                        "\(sentence) \(Shown.quoted(text))", text, at: node.range,
                        among: entry.attributes.map(\.name.name), listing: "it has:", isAlwaysListed: true)
                }
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
