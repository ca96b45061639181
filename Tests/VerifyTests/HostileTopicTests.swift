import Lane
import LaneTesting
import Testing

@testable import Verify

/// Anybody who may write to a topic may write anything: numbers at their limits, names that a terminal obeys, values made to
/// take long.
@Suite struct HostileTopicTests {
    @Test(arguments: [Int64.max, Int64.min, -1, 0]) func aTimestampMayBeAnything(timestamp: Int64) throws {
        for time in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"] {
            var log = LaneLog()
            log.add()
            log.records[0].timestamp = timestamp
            let place = try #require(log.records[0].headers.firstIndex { $0.0 == "ce_recordedtime" })
            log.records[0].headers[place].1 = time
            #expect(try Verifier.of([log]).streams.count == 1)
        }
    }

    /// 64 epochs, of which 10^14 messages each are missing, of 1500 lanes: more than 64 bits count.
    @Test func whatIsMissingOfAllMayBeMoreThanANumberHolds() throws {
        var logs: [LaneLog] = []
        for lane in 0..<1500 {
            var log = LaneLog(lane: String(lane))
            log.add()
            let one = log.records[0]
            let place = try #require(one.headers.firstIndex { $0.0 == "ce_sequence" })
            for epoch in Int64(1)...64 {
                var record = one
                record.value = Array("{}".utf8)
                record.headers[place].1 = CloudEvent.sequence(epoch: epoch, seq: 99_999_999_999_999)
                log.records.append(record)
            }
            log.records.removeFirst()
            logs.append(log)
        }
        let report = VerifyReport(try Verifier.of(logs))
        #expect(!report.isClean && report.summary.contains(" messages are missing"))
        var json = JSONWriter()
        report.write(to: &json)
        #expect(json.text.contains("\"clean\":false"))
    }

    /// Terminals obey U+009B as they do Escape and a bracket; U+202E turns the direction of what follows.
    @Test(arguments: ["\u{1B}[2J", "\u{9B}2J", "7\u{202E}", "\u{7F}", "a\nb"])
    func aLanesNameIsNotObeyed(name: String) throws {
        var log = LaneLog(lane: name)
        log.add()
        var states = LaneLog("sco.lane-state", lane: name)
        states.add()
        states.records[0].value = nil
        states.records[0].headers = []
        let report = VerifyReport(try Verifier.of([log, states]))
        let shown = report.rows().joined().joined() + report.faults().joined() + report.summary
        #expect(!shown.contains(name) && !shown.isEmpty)
    }

    /// A megabyte of members is looked at once, not once for each of them.
    @Test(.timeLimit(.minutes(1))) func manyMembersAreQuicklyJudged() throws {
        let text = #"{"properties":{"z":{"type":"string"}},"additionalProperties":{"type":"integer"}}"#
        let schema = try Schema(parsing: Array(text.utf8))
        var members = (0..<100_000).map { JSONValue.Member("m\($0)", .int(1)) }
        #expect(schema.fault(of: .object(members)) == nil)
        // Of a repeated name the last counts, wherever it stands.
        members.insert(.init("z", .int(1)), at: 0)
        members.append(.init("z", .string("")))
        #expect(schema.fault(of: .object(members)) == nil)
        members.append(.init("z", .int(1)))
        #expect(schema.fault(of: .object(members)) == "z must be string")
    }
}
