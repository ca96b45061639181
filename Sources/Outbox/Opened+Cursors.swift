/// What the runs say of a topic, where its cursor says what cannot be, or not enough.
extension Opened {
    /// The sequence number before the first message that is there.
    func settled(before cursor: Cursor) throws(SQLiteFault) -> Int64 {
        let runs = statements.runs
        runs.bind(1, Place.of(cursor.stream, 0))
        runs.bind(2, Place.end(of: cursor.stream))
        defer { runs.reset() }
        guard try runs.step() else { return cursor.next - 1 }
        // Of a run that is damaged only its last is known: it is told of from the beginning.
        let first = runs.withBytes(2) { RunReader($0)?.next } ?? 1
        return min(max(first, 1), cursor.next) - 1
    }

    /// Up to where `limit` messages behind the settled ones go. One that tells of others is one message.
    func onTheirWay(_ cursor: Cursor, _ limit: Int64) throws(SQLiteFault) -> Int64 {
        var end = cursor.acked + limit
        let told = statements.toldCounts
        told.bind(1, Place.of(cursor.stream, cursor.acked))
        told.bind(2, Place.end(of: cursor.stream))
        defer { told.reset() }
        while try told.step() {
            let (last, count) = (Place.seq(told.integer(0)), told.integer(1))
            guard count > 0, last - min(count, last) < end else { break }
            end += min(count, last) - 1
        }
        return end
    }
}
