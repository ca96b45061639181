/// A JSON value, whole. For small documents: snapshots of the engine, answers, tests. Signals are read without it.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([JSONValue])
    /// In the order of the text; of a repeated name the last counts.
    case object([Member])

    public struct Member: Hashable, Sendable {
        public var name: String
        public var value: JSONValue
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    public init(parsing bytes: [UInt8]) throws(JSONFault) {
        let result: Result<JSONValue, JSONFault> = bytes.withUnsafeBytes { buffer in
            var scanner = JSONScanner(buffer)
            do throws(JSONFault) {
                let value = try JSONValue(&scanner, depth: 0)
                try scanner.expectEnd()
                return .success(value)
            } catch { return .failure(error) }
        }
        self = try result.get()
    }

    public init(parsing text: String) throws(JSONFault) { try self.init(parsing: Array(text.utf8)) }

    private init(_ scanner: inout JSONScanner, depth: Int) throws(JSONFault) {
        guard depth < JSONScanner.maximumDepth else { throw scanner.fault("nested too deeply") }
        switch scanner.peek() {
        case UInt8(ascii: "\""): self = .string(try scanner.string())
        case UInt8(ascii: "{"):
            _ = scanner.take(UInt8(ascii: "{"))
            var members: [Member] = []
            if !scanner.take(UInt8(ascii: "}")) {
                repeat {
                    let name = try scanner.string()
                    try scanner.expect(UInt8(ascii: ":"), "\":\" after the name")
                    members.append(Member(name, try JSONValue(&scanner, depth: depth + 1)))
                } while scanner.take(UInt8(ascii: ","))
                try scanner.expect(UInt8(ascii: "}"), "\",\" or \"}\"")
            }
            self = .object(members)
        case UInt8(ascii: "["):
            _ = scanner.take(UInt8(ascii: "["))
            var elements: [JSONValue] = []
            if !scanner.take(UInt8(ascii: "]")) {
                repeat {
                    elements.append(try JSONValue(&scanner, depth: depth + 1))
                } while scanner.take(UInt8(ascii: ","))
                try scanner.expect(UInt8(ascii: "]"), "\",\" or \"]\"")
            }
            self = .array(elements)
        case UInt8(ascii: "t"):
            try scanner.word("true")
            self = .bool(true)
        case UInt8(ascii: "f"):
            try scanner.word("false")
            self = .bool(false)
        case UInt8(ascii: "n"):
            try scanner.word("null")
            self = .null
        default:
            switch try scanner.number() {
            case .int(let value): self = .int(value)
            case .other(let value): self = .double(value)
            }
        }
    }

    /// As JSON on one line.
    public var written: String {
        var json = JSONWriter()
        json.value(self)
        return json.text
    }

    // MARK: Reading

    /// The member called `name`; nil for other kinds and absent names.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    public var text: String? { if case .string(let value) = self { value } else { nil } }
    public var int: Int64? { if case .int(let value) = self { value } else { nil } }
    public var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    public var elements: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
    public var members: [Member]? { if case .object(let value) = self { value } else { nil } }
    public var isNull: Bool { self == .null }
}
