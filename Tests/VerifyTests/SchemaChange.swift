import Lane

@testable import Verify

/// What may change in a schema within its version, and what may not: docs/reference/schemas.md. Who reads a message written by
/// the old schema must not be surprised by the new one, nor the other way round.
enum SchemaChange {
    /// The faults of `new`, a later edition of `old`: places and what is wrong there. Empty where the change is allowed.
    static func faults(from old: JSONValue, to new: JSONValue) -> [String] {
        var faults: [String] = []
        compare(old, new, "#", &faults)
        return faults
    }

    private static func compare(_ old: JSONValue, _ new: JSONValue, _ place: String, _ faults: inout [String]) {
        guard old.members != nil, new.members != nil else {
            if !old.isSame(as: new) { faults.append("\(place): changed") }
            return
        }
        // A promise of the value itself stays as it is, whichever way it would change.
        for keyword in [
            "$id", "type", "pattern", "format", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
            "minProperties", "maxProperties",
        ]
        where !isSame(old[keyword], new[keyword]) {
            faults.append("\(place)/\(keyword): \(old[keyword] == nil ? "added" : "changed")")
        }
        for keyword in ["allOf", "anyOf", "not", "if", "then", "else"]
        where !isSame(bare(old[keyword]), bare(new[keyword])) {
            faults.append("\(place)/\(keyword): changed")
        }
        values(old, new, place, &faults)
        let before = names(old["required"])
        let after = names(new["required"])
        for name in after.subtracting(before).sorted() { faults.append("\(place)/required: \(name) was made required") }
        for name in before.subtracting(after).sorted() { faults.append("\(place)/required: \(name) is no longer sure") }
        for member in old["properties"]?.members ?? [] {
            guard let kept = new["properties"]?[member.name] else {
                faults.append("\(place)/properties: \(member.name) was removed")
                continue
            }
            compare(member.value, kept, "\(place)/properties/\(member.name)", &faults)
        }
        for keyword in ["items", "additionalProperties"] {
            switch (old[keyword], new[keyword]) {
            case (nil, nil): break
            case (let before?, let after?): compare(before, after, "\(place)/\(keyword)", &faults)
            default: faults.append("\(place)/\(keyword): added or removed")
            }
        }
    }

    /// Of a list of values none may go; others may come, and readers must expect those.
    private static func values(_ old: JSONValue, _ new: JSONValue, _ place: String, _ faults: inout [String]) {
        func list(_ schema: JSONValue) -> [JSONValue]? { schema["enum"]?.elements ?? schema["const"].map { [$0] } }
        switch (list(old), list(new)) {
        case (nil, nil): break
        case (let before?, let after?):
            for value in before where !after.contains(where: { $0.isSame(as: value) }) {
                faults.append("\(place)/enum: \(value.written) was removed")
            }
        default: faults.append("\(place)/enum: added or removed")
        }
    }

    private static func names(_ list: JSONValue?) -> Set<String> { Set(list?.elements?.compactMap(\.text) ?? []) }

    private static func isSame(_ a: JSONValue?, _ b: JSONValue?) -> Bool {
        switch (a, b) {
        case (nil, nil): true
        case (let a?, let b?): a.isSame(as: b)
        default: false
        }
    }

    /// A schema without what is for people alone.
    static func bare(_ value: JSONValue?) -> JSONValue? {
        switch value {
        case .object(let members):
            let kept = members.filter {
                !["title", "description", "$comment", "examples"].contains($0.name) || $0.value.text == nil
            }
            return .object(kept.map { .init($0.name, bare($0.value) ?? .null) })
        case .array(let elements): return .array(elements.map { bare($0) ?? .null })
        default: return value
        }
    }
}
