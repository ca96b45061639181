import Lane

/// Schemas by their `$id`: those of this version, and others that are added.
public struct Schemas {
    private var known: [String: Schema] = [:]

    /// Those that came with this version.
    /// - Throws: never in a build whose tests passed.
    public init() throws(SchemaFault) {
        for text in ShippedSchemas.all { try add(parsing: Array(text.utf8)) }
    }

    /// None.
    init(empty: Void) {}

    /// Adds one; it takes the place of one with the same `$id`.
    public mutating func add(parsing bytes: [UInt8]) throws(SchemaFault) {
        let schema = try Schema(parsing: bytes)
        guard schema.id.hasPrefix(Self.prefix) else { throw SchemaFault("its $id does not begin with \(Self.prefix)") }
        known[schema.id] = schema
    }

    /// Whether a JSON text is a schema of messages, by its `$id`.
    public static func isOfMessage(_ schema: JSONValue) -> Bool { schema["$id"]?.text?.hasPrefix(prefix) ?? false }

    static let prefix = "urn:lanewatch:schema:"

    public subscript(id: String) -> Schema? { known[id] }
    public var ids: [String] { known.keys.sorted() }

    /// The `$id` of the schema of messages of this `ce_type`: the three of an intervention share one.
    public static func id(ofType type: String) -> String {
        switch type {
        case "sco.intervention.raised.v1", "sco.intervention.updated.v1", "sco.intervention.cleared.v1":
            prefix + "sco.intervention.v1"
        default: prefix + type
        }
    }
}
