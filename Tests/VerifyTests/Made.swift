import Lane

/// Values made from a schema, and spoiled ones made from those.
enum Made {
    /// A value that the schema allows, mostly: `allOf`, `if` and `then` are left to chance.
    static func value(_ schema: JSONValue, _ random: inout SeededGenerator, depth: Int = 0) -> JSONValue {
        if let const = schema["const"] { return const }
        if let list = schema["enum"]?.elements, let one = list.randomElement(using: &random) { return one }
        let kinds = schema["type"]?.elements?.compactMap(\.text) ?? [schema["type"]?.text ?? "string"]
        switch kinds.randomElement(using: &random) ?? "null" {
        case "null": return .null
        case "boolean": return .bool(Bool.random(using: &random))
        case "integer", "number":
            let least = schema["minimum"]?.int ?? 0
            return .int(Int64.random(in: least...least + 1000, using: &random))
        case "array":
            let count = Int.random(in: 0...Int(schema["maxItems"]?.int ?? 3), using: &random)
            guard let items = schema["items"] else { return .array([]) }
            return .array((0..<count).map { _ in value(items, &random, depth: depth + 1) })
        case "object": return object(schema, &random, depth)
        default: return .string(text(schema, &random))
        }
    }

    private static func object(_ schema: JSONValue, _ random: inout SeededGenerator, _ depth: Int) -> JSONValue {
        let required = Set(schema["required"]?.elements?.compactMap(\.text) ?? [])
        var members: [JSONValue.Member] = []
        for member in schema["properties"]?.members ?? []
        where required.contains(member.name) || Bool.random(using: &random) {
            members.append(.init(member.name, value(member.value, &random, depth: depth + 1)))
        }
        if let others = schema["additionalProperties"], others.members != nil {
            members.append(.init("other", value(others, &random, depth: depth + 1)))
        }
        return .object(members)
    }

    private static func text(_ schema: JSONValue, _ random: inout SeededGenerator) -> String {
        if schema["format"] != nil {
            return WallInstant(milliseconds: Int64.random(in: 0...4_000_000_000_000, using: &random)).rfc3339
        }
        let hex = Array("0123456789abcdef")
        func digits(_ count: Int) -> String {
            String((0..<count).map { _ in hex.randomElement(using: &random) ?? "0" })
        }
        let pattern = schema["pattern"]?.text ?? ""
        if pattern.contains("sha256:") { return "sha256:" + digits(64) }
        if pattern.contains("{64}") { return digits(64) }
        if pattern.contains("{20}") { return String(repeating: "7", count: 20) }
        if pattern.contains("{12}") { return "\(digits(8))-\(digits(4))-8\(digits(3))-a\(digits(3))-\(digits(12))" }
        return digits(Int.random(in: Int(schema["minLength"]?.int ?? 1)...12, using: &random))
    }

    /// `value` with one thing changed somewhere: another kind, another text, a member less or more, …
    static func spoiled(_ value: JSONValue, _ random: inout SeededGenerator) -> JSONValue {
        switch value {
        case .object(var members) where !members.isEmpty && Int.random(in: 0..<6, using: &random) > 0:
            let place = Int.random(in: 0..<members.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: members.remove(at: place)
            case 1: members.append(.init("extra", other(&random)))
            case 2: members[place].name += "x"
            default: members[place].value = spoiled(members[place].value, &random)
            }
            return .object(members)
        case .array(var elements) where !elements.isEmpty && Bool.random(using: &random):
            let place = Int.random(in: 0..<elements.count, using: &random)
            if Bool.random(using: &random) {
                elements += [JSONValue](repeating: elements[place], count: Int.random(in: 1...10, using: &random))
            } else {
                elements[place] = spoiled(elements[place], &random)
            }
            return .array(elements)
        case .string(let text) where Bool.random(using: &random):
            return .string(
                [
                    text + "0", String(text.dropLast()), text.uppercased(), "", text.replacing("0", with: "g"),
                    "ä\(text)",
                ]
                .randomElement(using: &random) ?? "")
        case .int(let number) where Bool.random(using: &random):
            return [.int(-number), .int(number + 1), .double(Double(number)), .double(Double(number) + 0.5)]
                .randomElement(using: &random) ?? .null
        default: return other(&random)
        }
    }

    private static func other(_ random: inout SeededGenerator) -> JSONValue {
        let all: [JSONValue] = [
            .null, .bool(true), .bool(false), .int(0), .int(-1), .int(7), .double(0.5), .double(2), .string(""),
            .string("x"), .string("2026-11-21T08:14:03.120Z"), .array([]), .array([.int(1)]), .object([]),
            .object([.init("a", .string("b"))]),
        ]
        return all.randomElement(using: &random) ?? .null
    }
}
