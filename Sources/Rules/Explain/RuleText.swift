import Lane

extension Match {
    /// As a rule file writes it: `printer.paper where level = out`.
    var text: String {
        tests.isEmpty ? type.name : "\(type.name) where " + tests.map(\.text).joined(separator: " and ")
    }
}

extension AttributeTest {
    /// `level = out`, `age >= 16`
    var text: String {
        switch comparison {
        case .isOneOf(let values): return "\(attribute.name) = " + Self.list(values, "|")
        case .isNot(let value): return "\(attribute.name) != \(value)"
        case .less(let bound): return "\(attribute.name) < \(bound)"
        case .lessOrEqual(let bound): return "\(attribute.name) <= \(bound)"
        case .greater(let bound): return "\(attribute.name) > \(bound)"
        case .greaterOrEqual(let bound): return "\(attribute.name) >= \(bound)"
        case .matches(let pattern): return "\(attribute.name) matches /\(pattern.source)/"
        }
    }

    /// Of a long list the first few.
    fileprivate static func list(_ values: [AttributeValue], _ separator: String) -> String {
        let shown = values.prefix(5).map(\.description).joined(separator: separator)
        return values.count > 5 ? shown + separator + "…" : shown
    }
}

extension Note.FailedTest {
    /// `level is low, not out`
    var text: String {
        let name = test.attribute.name
        guard let value else { return "it has no \(name)" }
        let shown = ResultLine.quoted(value.description.cut(toBytes: 80))
        switch test.comparison {
        case .isOneOf(let values):
            let wanted = values.prefix(5).map(\.description)
            return "\(name) is \(shown), not \(Words.list(wanted + (values.count > 5 ? ["…"] : []), "or"))"
        case .isNot: return "\(name) is \(shown)"
        case .less(let bound): return "\(name) is \(shown), not below \(bound)"
        case .lessOrEqual(let bound): return "\(name) is \(shown), above \(bound)"
        case .greater(let bound): return "\(name) is \(shown), not above \(bound)"
        case .greaterOrEqual(let bound): return "\(name) is \(shown), below \(bound)"
        case .matches(let pattern): return "\(name) is \(shown), which /\(pattern.source)/ does not match"
        }
    }
}

extension Note.StateTerm {
    /// What is known: `basket is paying, not open`. Of a negated term that fails, `basket is closed`.
    var text: String {
        guard let current else { return "nothing has told yet what \(state) is" }
        if holds || isNegated { return "\(state) is \(current)" }
        return "\(state) is \(current), not \(value)"
    }

    /// As the rule has it: `basket is not closed`.
    var condition: String { "\(state) is \(isNegated ? "not " : "")\(value)" }
}

extension DaySpan {
    /// `22:00-06:00`, `Mon-Fri 22:00-06:00`, `Sat,Sun 08:00-20:00`
    var text: String {
        let span = "\(Self.clock(begin))-\(Self.clock(end))"
        guard days & 0x7F != 0x7F else { return span }
        let names = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
        let on = names.indices.filter { days & (1 << UInt8($0)) != 0 }
        if let first = on.first, let last = on.last, on.count > 2, last - first + 1 == on.count {
            return "\(names[first])-\(names[last]) \(span)"
        }
        return on.map { names[$0] }.joined(separator: ",") + " " + span
    }

    /// `22:05`, of minutes after midnight.
    static func clock(_ minutes: Int) -> String {
        let (hour, minute) = (minutes / 60, minutes % 60)
        return (hour < 10 ? "0" : "") + "\(hour):" + (minute < 10 ? "0" : "") + "\(minute)"
    }
}

enum Words {
    /// `a`, `a or b`, `a, b or c`
    static func list(_ words: [String], _ last: String) -> String {
        guard let end = words.last, words.count > 1 else { return words.first ?? "" }
        return words.dropLast().joined(separator: ", ") + " \(last) \(end)"
    }

    /// `a is not`, `none of a, b is`
    static func noneOf(_ words: [String]) -> String {
        words.count == 1 ? "\(words[0]) is not" : "none of \(words.joined(separator: ", ")) is"
    }

    /// `1 signal`, `3 signals`
    static func count(_ number: Int, _ one: String, _ many: String? = nil) -> String {
        "\(number) \(number == 1 ? one : many ?? one + "s")"
    }

    static func times(_ number: Int) -> String {
        switch number {
        case 1: return "once"
        case 2: return "twice"
        default: return "\(number) times"
        }
    }

    /// `second`, `third`, `12th`
    static func ordinal(_ number: Int) -> String {
        let words = [2: "second", 3: "third", 4: "fourth", 5: "fifth"]
        if let word = words[number] { return word }
        let tail = (11...13).contains(number % 100) ? "th" : [1: "st", 2: "nd", 3: "rd"][number % 10] ?? "th"
        return "\(number)\(tail)"
    }
}

extension [KeyPart] {
    /// `pay=P1`, as result lines have it; empty without a key.
    var text: String { map { "\($0.name)=\(ResultLine.quoted($0.value))" }.joined(separator: " ") }
}
