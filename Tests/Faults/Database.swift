import FaultParts
import Foundation
import PostgresBed

/// PostgreSQL behind examples/consumer, which a run's topic is read into once the log is judged: what an application sees.
final class Database {
    private let bed: PostgresBed

    init() throws {
        bed = try PostgresBed()
        let bed = bed
        Cleanup.shared.atEnd { bed.end() }
        try Consumer.setUp(bed)
    }

    func end() { bed.end() }

    struct Effects: Equatable {
        /// Messages that were taken, each once.
        var messages: Int
        /// How often the rule called and ended: a plain count, which any message that counts twice spoils.
        var raised: Int
        var cleared: Int
    }

    /// Reads `topic` from its beginning to its end.
    /// - Parameter isKeyed: false is the control: without the unique key, each record has its effect.
    /// - Returns: the effects of `source`, and an alarm's text where the consumer stopped with one.
    func read(_ brokers: String, _ topic: String, source: String, isKeyed: Bool) throws -> (Effects, alarm: String?) {
        let words = ["--brokers", brokers, "--topic", topic, "--group", topic, "--until-end"]
        var code: Int32?
        var lines: [String] = []
        if isKeyed {
            (code, lines) = try Consumer.call(["run"] + words, database: bed.conninfo, within: 180, codes: [0, 3])
        } else {
            try dropKeys()
            let child = try Consumer(
                brokers: brokers, database: bed.conninfo, script: Places.repository + "/Tests/ConsumerTests/faulty.py",
                environment: ["FAULT": "without-dedupe"], Array(words.dropFirst(2)))
            code = child.end(within: 180)
            lines = child.child.lines
        }
        guard let code, code == 0 || code == 3 else { throw Fault("the consumer: \(lines.suffix(5))") }
        let effects = Effects(
            messages: try bed.number("SELECT count(*) FROM messages WHERE source = '\(source)' AND topic = '\(topic)'"),
            raised: try bed.number("SELECT coalesce(sum(raised), 0) FROM calls WHERE source = '\(source)'"),
            cleared: try bed.number("SELECT coalesce(sum(cleared), 0) FROM calls WHERE source = '\(source)'"))
        return (effects, code == 3 ? lines.last { $0.contains("\"alarm\"") } ?? "an alarm" : nil)
    }

    /// Takes the unique keys away, for the control.
    private func dropKeys() throws {
        for table in ["messages", "intervention_history"] {
            _ = try bed.rows("ALTER TABLE \(table) DROP CONSTRAINT IF EXISTS \(table)_pkey")
        }
    }
}
