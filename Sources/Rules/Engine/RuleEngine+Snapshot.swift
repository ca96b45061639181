import Lane
import YAML

/// The engine as bytes and back.
extension RuleEngine {
    /// All that the engine needs to go on as if nothing had happened, as JSON. The counts are not in it.
    public func snapshot() -> [UInt8] {
        var json = JSONWriter()
        record.write(to: &json)
        return json.bytes
    }

    /// The engine that `snapshot` was taken of: the same signals give the same changes, ids and numbers.
    ///
    /// Where the snapshot is of other rules (`needsAdoption`), what still fits is taken over, and `adopt` with the same
    /// table settles the rest. Any bytes give an engine or an error.
    public init(restoring snapshot: [UInt8], table: RuleTable) throws(SnapshotFault) {
        let record = try EngineRecord(parsing: snapshot)
        guard record.source == table.source else {
            throw SnapshotFault("the snapshot is of \(Shown.plain(record.source)), not of \(table.source)")
        }
        self.init(record, table: table, taking: .exactly)
        restoredDigest = record.digest
    }

    /// The next change gets a number above `number`: for an engine that begins anew where its snapshot is lost, while numbers
    /// up to `number` were given before.
    public mutating func continueNumbering(after number: Int64) { changeNumber = max(changeNumber, number) }
}

/// Why a snapshot cannot be read. One sentence, without customers' data.
public struct SnapshotFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    init(_ description: String) { self.description = description }
}
