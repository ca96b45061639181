import Lane

/// A JSON Schema (2020-12), read once: the part of the standard that this product's schemas use. A keyword beyond that is an
/// error of the schema, never passed over.
///
/// `format` is asserted for `date-time` (RFC 3339), as our schemas mean it. Source: json-schema.org, draft 2020-12,
/// "Core" and "Validation".
public final class Schema {
    /// Every keyword that is understood.
    public static let keywords: Set<String> = annotations.union(checks)

    static let annotations: Set<String> = ["$schema", "$id", "$comment", "title", "description", "examples", "default"]
    static let checks: Set<String> = [
        "type", "enum", "const", "required", "properties", "additionalProperties", "items", "minItems", "maxItems",
        "minProperties",
        "maxProperties",
        "minimum", "maximum", "minLength", "maxLength", "pattern", "format", "allOf", "anyOf", "not", "if", "then",
        "else",
    ]

    enum Kind: String {
        case null, boolean, integer, number, string, array, object
    }

    /// `$id` of the document.
    public let id: String
    /// A boolean schema.
    var always: Bool?
    var kinds: Set<Kind> = []
    var values: [JSONValue] = []
    var isEnumerated = false
    var required: [String] = []
    var properties: [String: Schema] = [:]
    var others: Schema?
    var items: Schema?
    var itemCount: (least: Int64?, most: Int64?) = (nil, nil)
    var memberCount: (least: Int64?, most: Int64?) = (nil, nil)
    var range: (least: Double?, most: Double?) = (nil, nil)
    var length: (least: Int64?, most: Int64?) = (nil, nil)
    var pattern: SchemaPattern?
    var isDateTime = false
    var all: [Schema] = []
    var any: [Schema] = []
    var not: Schema?
    var condition: Schema?
    var then: Schema?
    var otherwise: Schema?

    /// Reads a schema.
    /// - Throws: what is wrong with it, and where: a sentence.
    public convenience init(parsing bytes: [UInt8]) throws(SchemaFault) {
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: bytes) } catch {
            throw SchemaFault("no JSON at byte \(error.offset): \(error.message)")
        }
        try self.init(value, "#")
    }

    init(_ value: JSONValue, _ place: String) throws(SchemaFault) {
        id = value["$id"]?.text ?? ""
        if let always = value.bool {
            self.always = always
            return
        }
        guard let members = value.members else { throw SchemaFault("\(place): expected an object") }
        for member in members where !Self.keywords.contains(member.name) {
            throw SchemaFault("\(place): the keyword \(member.name) is not supported")
        }
        try readKinds(value, place)
        try readCounts(value, place)
        try readParts(value, place)
    }

    private func readKinds(_ value: JSONValue, _ place: String) throws(SchemaFault) {
        if let type = value["type"] {
            for name in type.elements ?? [type] {
                guard let kind = name.text.flatMap({ Kind(rawValue: $0) }) else {
                    throw SchemaFault("\(place)/type: not a type")
                }
                kinds.insert(kind)
            }
        }
        if let list = value["enum"] {
            guard let elements = list.elements else { throw SchemaFault("\(place)/enum: expected an array") }
            isEnumerated = true
            values = elements
        }
        if let const = value["const"] {
            values = isEnumerated ? values.filter { $0.isSame(as: const) } : [const]
            isEnumerated = true
        }
        for name in value["required"]?.elements ?? [] {
            guard let name = name.text else { throw SchemaFault("\(place)/required: expected names") }
            required.append(name)
        }
        if let text = value["pattern"] {
            guard let source = text.text, let pattern = SchemaPattern(source) else {
                throw SchemaFault("\(place)/pattern: not a regular expression")
            }
            self.pattern = pattern
        }
        if let format = value["format"] {
            guard format.text == "date-time" else { throw SchemaFault("\(place)/format: only date-time is supported") }
            isDateTime = true
        }
    }

    private func readCounts(_ value: JSONValue, _ place: String) throws(SchemaFault) {
        func count(_ name: String) throws(SchemaFault) -> Int64? {
            guard let found = value[name] else { return nil }
            guard let count = found.int, count >= 0 else { throw SchemaFault("\(place)/\(name): expected a count") }
            return count
        }
        func number(_ name: String) throws(SchemaFault) -> Double? {
            guard let found = value[name] else { return nil }
            guard let number = found.number else { throw SchemaFault("\(place)/\(name): expected a number") }
            return number
        }
        itemCount = (try count("minItems"), try count("maxItems"))
        memberCount = (try count("minProperties"), try count("maxProperties"))
        length = (try count("minLength"), try count("maxLength"))
        range = (try number("minimum"), try number("maximum"))
    }

    private func readParts(_ value: JSONValue, _ place: String) throws(SchemaFault) {
        func part(_ name: String) throws(SchemaFault) -> Schema? {
            guard let found = value[name] else { return nil }
            return try Schema(found, "\(place)/\(name)")
        }
        func parts(_ name: String) throws(SchemaFault) -> [Schema] {
            var schemas: [Schema] = []
            for (index, element) in (value[name]?.elements ?? []).enumerated() {
                schemas.append(try Schema(element, "\(place)/\(name)/\(index)"))
            }
            return schemas
        }
        for member in value["properties"]?.members ?? [] {
            properties[member.name] = try Schema(member.value, "\(place)/properties/\(member.name)")
        }
        others = try part("additionalProperties")
        items = try part("items")
        not = try part("not")
        condition = try part("if")
        then = try part("then")
        otherwise = try part("else")
        all = try parts("allOf")
        any = try parts("anyOf")
    }
}

/// What is wrong with a schema.
public struct SchemaFault: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

extension JSONValue {
    /// The number, whole or not.
    var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// Equal as JSON Schema has it: 1.0 is 1, members in any order.
    func isSame(as other: JSONValue) -> Bool {
        switch (self, other) {
        case (.array(let a), .array(let b)):
            return a.count == b.count && zip(a, b).allSatisfy { $0.isSame(as: $1) }
        case (.object(let a), .object(let b)):
            let names = Set(a.map(\.name))
            guard names == Set(b.map(\.name)) else { return false }
            return names.allSatisfy { name in
                guard let mine = self[name], let others = other[name] else { return false }
                return mine.isSame(as: others)
            }
        case (.int(let a), .double(let b)), (.double(let b), .int(let a)): return Double(a) == b
        default: return self == other
        }
    }
}
