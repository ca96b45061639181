import Foundation
import KafkaBed
import PostgresBed
import Testing

/// A Kafka and a PostgreSQL, and what the tests ask of them. Each test has a topic and tables of its own.
struct Beds: Sendable {
    let kafka: KafkaBed
    let postgres: PostgresBed

    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
    static var faulty: String { folder + "/faulty.py" }

    /// Those of the suite that runs.
    @TaskLocal static var current: Beds?

    /// Tables as `consume.py init` makes them, empty, and a topic that nobody has used.
    func begin(_ topic: String, partitions: Int = 3) async throws {
        _ = try postgres.rows("DROP SCHEMA IF EXISTS lanewatch CASCADE")
        try Consumer.setUp(postgres)
        try await kafka.create(topic, partitions: partitions)
    }

    /// Has lanes.py publish; `orders` are its lines.
    func publish(_ topic: String, _ orders: String...) throws {
        let lanes = try publishing(topic, orders)
        let code = lanes.end(within: 180)
        #expect(code == 0, "\(lanes.lines)")
    }

    /// The same, meanwhile.
    func publishing(_ topic: String, _ orders: [String]) throws -> Child {
        let lines = orders.map { order in "{\"topic\": \"\(topic)\", " + order.dropFirst() }
        return try Child(
            ["/usr/bin/python3", Self.folder + "/lanes.py", kafka.bootstrap],
            environment: ["PYTHONDONTWRITEBYTECODE": "1"], input: lines.joined(separator: "\n") + "\n")
    }

    func publish(_ topic: String, lanes: Range<Int>, from: Int = 1, to: Int) throws {
        let lanes = try publishing(topic, lanes.map { "{\"lane\": \($0), \"from\": \(from), \"to\": \(to)}" })
        let code = lanes.end(within: 180)
        #expect(code == 0, "\(lanes.lines)")
    }

    /// A consumer of `topic`. A group has members that are missed after 6 s: the shortest that a broker allows.
    func consumer(_ topic: String, fault: String? = nil, _ words: [String] = []) throws -> Consumer {
        let usual = [
            "--topic", topic, "--group", topic, "--report", "1", "--patience", "1", "-X", "session.timeout.ms=6000",
            "-X", "broker.address.family=v4",
        ]
        return try Consumer(
            brokers: kafka.bootstrap, database: postgres.conninfo, script: fault.map { _ in Self.faulty },
            environment: fault.map { ["FAULT": $0] } ?? [:], usual + words)
    }

    /// Reads to the end of what is there; the last line it says.
    func drain(_ topic: String, code: Int32 = 0, _ words: [String] = []) throws -> Consumer.Event {
        let one = try consumer(topic, ["--until-end"] + words)
        let ended = one.end(within: 120)
        if ended == nil { one.signal(SIGKILL) }
        #expect(ended == code, "\(one.child.lines.suffix(8))")
        for event in one.events where event.name == "counts" || event.name == "stopped" { event.expectWhole() }
        return try #require(one.events.last { $0.name == "stopped" }, "\(one.child.lines.suffix(8))")
    }

    func catchUp(_ topic: String, within seconds: Int = 120) throws {
        #expect(try Consumer.caughtUp(postgres, brokers: kafka.bootstrap, topics: [topic], within: seconds))
    }

    /// What the database made of `sent` messages a lane, by two accounts: which messages had an effect (their ids), and how many
    /// effects there were (sums that a repeated message spoils).
    func tally(lanes: Range<Int>, sent: Int) throws -> (lost: Int, doubled: Int) {
        let ids = try postgres.rows("SELECT source, count(DISTINCT id) FROM intervention_history GROUP BY 1")
        let sums = try postgres.rows("SELECT source, sum(raised + updated + cleared) FROM calls GROUP BY 1")
        func count(_ rows: [[String]], _ lane: Int) -> Int {
            let source = "/stores/0042/lanes/" + (lane < 10 ? "0" : "") + String(lane)
            return rows.first { $0.first == source }.flatMap { $0.last }.flatMap { Int($0) } ?? 0
        }
        return lanes.reduce(into: (0, 0)) { tally, lane in
            tally.0 += sent - count(ids, lane)
            tally.1 += count(sums, lane) - count(ids, lane)
        }
    }

    /// Each message of `lanes` once in effect, the lanes' cursors at their end, and nothing that was not sent.
    func expectOnce(lanes: Range<Int>, sent: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let tally = try tally(lanes: lanes, sent: sent)
        #expect(tally == (0, 0), "lost, doubled", sourceLocation: sourceLocation)
        let kept = try postgres.number("SELECT count(*) FROM messages")
        #expect(kept == lanes.count * sent, sourceLocation: sourceLocation)
        let short = try postgres.number("SELECT count(*) FROM cursors WHERE last % 100000000000000 <> \(sent)")
        #expect(short == 0, sourceLocation: sourceLocation)
        // Three messages an intervention; the last of it decides what it is now.
        let wrong = try postgres.number(
            """
            SELECT count(*) FROM interventions i JOIN (SELECT DISTINCT ON (intervention) * FROM intervention_history
            ORDER BY intervention, revision DESC) h USING (intervention)
            WHERE i.revision <> h.revision OR i.is_open <> (h.state <> 'cleared')
            """)
        #expect(wrong == 0, sourceLocation: sourceLocation)
        #expect(
            try postgres.number("SELECT count(*) FROM interventions") == lanes.count * ((sent + 2) / 3),
            sourceLocation: sourceLocation)
    }
}

extension Consumer.Event {
    /// Nothing that was read has gone astray.
    func expectWhole() {
        let out = ["written", "repeated", "rejected", "fenced", "held"].reduce(0) { $0 + self[$1] }
        #expect(self["read"] == out, "\(members)")
    }
}
