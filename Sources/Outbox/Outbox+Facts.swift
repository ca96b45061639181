import CSQLite

extension Outbox {
    /// The facts whose names begin with `prefix`, by the rest of their names. They are written by `Commit.facts`.
    public func facts(named prefix: String) throws(OutboxError) -> [String: [UInt8]] {
        let opened = try current()
        var found: [String: [UInt8]] = [:]
        try during("cannot read") { () throws(SQLiteFault) in
            let facts = try opened.database.prepare("SELECT substr(key, 6), value FROM meta WHERE key LIKE 'fact.%'")
            while try facts.step() {
                let name = facts.text(0)
                if name.hasPrefix(prefix) { found[String(name.dropFirst(prefix.count))] = facts.bytes(1) ?? [] }
            }
            facts.reset()
        }
        return found
    }
}
