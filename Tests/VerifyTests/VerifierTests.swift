import Lane
import LaneTesting
import Testing

@testable import Verify

/// A clean log is clean; each way to spoil it is found, and found to be what it is.
@Suite struct VerifierTests {
    private func faults(_ verifier: Verifier) -> [Fault: Int64] {
        var counts: [Fault: Int64] = [:]
        for stream in verifier.streams {
            for fault in Fault.allCases where stream.count(fault) > 0 {
                counts[fault, default: 0] += stream.count(fault)
            }
        }
        return counts
    }

    private func log(_ count: Int = 20) -> LaneLog {
        var log = LaneLog()
        for _ in 0..<count { log.add() }
        return log
    }

    private func intervention(_ revision: Int, lateBy: Int64? = nil) -> Change {
        var intervention = Intervention(
            id: LaneUUID(hashing: ["a"]), rule: "payment-timeout", title: "No answer", category: "payment",
            severity: .warning, topic: "sco.interventions", key: [], raisedAt: LaneLog.wall, evidence: [], phase: nil,
            remoteResolvable: false, shadow: false, lateBy: lateBy, expires: LaneLog.wall)
        intervention.revision = revision
        return Change(
            number: 1, kind: .raise, at: LaneInstant(milliseconds: 0), wall: LaneLog.wall, cause: 3, correlation: "T1",
            traceparent: nil, intervention: intervention)
    }

    private func audit() -> LaneLog {
        var log = LaneLog("sco.audit")
        for _ in 0..<6 {
            log.add(type: "sco.config.applied.v1", chained: true) { json in
                json.member("config", LaneLog.digest)
                json.member("at", LaneLog.wall)
            }
        }
        return log
    }

    @Test func whatALaneWritesIsClean() throws {
        var interventions = LaneLog("sco.interventions")
        for revision in 1...5 { interventions.add(intervention(revision, lateBy: revision == 4 ? 1700 : nil)) }
        let verifier = try Verifier.of([log(), interventions, audit()])
        #expect(verifier.isClean && faults(verifier) == [:], "\(verifier.streams.map(\.findings))")
        #expect(verifier.streams.count == 3 && verifier.records == 31)
        let report = VerifyReport(verifier)
        #expect(
            report.summary
                == "clean: 31 records of 1 lane on 3 topics: every sequence is there, in order, and well formed")
        #expect(report.faults() == [] && report.rows().count == 3)
        #expect(verifier.streams.first { $0.topic == "sco.interventions" }?.latestTimer == 1700)
    }

    @Test func whatIsMissingIsNamed() throws {
        var log = log()
        log.records.removeSubrange(4..<7)
        let verifier = try Verifier.of([log])
        #expect(faults(verifier) == [.missing: 3])
        let report = VerifyReport(verifier)
        #expect(report.faults() == ["sco.device-health 0042/07: 60381:5 to 7 are missing, 3 messages"])
        #expect(report.summary.hasPrefix("not clean: of 17 records of 1 lane on 1 topic, 3 messages are missing"))
    }

    @Test func orderAndRepeatsAreToldApart() throws {
        var swapped = log()
        swapped.records.swapAt(5, 6)
        #expect(faults(try Verifier.of([swapped])) == [.order: 1])
        // A producer that sends its window again.
        var again = log()
        again.records += again.records.suffix(10)
        again.add()
        let verifier = try Verifier.of([again])
        #expect(verifier.isClean && verifier.streams[0].repeats == 10)
        #expect(VerifyReport(verifier).summary.hasSuffix("; 10 came again, which consumers drop by id"))
        #expect(!VerifyReport(verifier, isStrict: true).isClean)
        var other = log()
        other.records.append(other.records[12])
        other.change(20, "scanner", "printer")
        #expect(faults(try Verifier.of([other])) == [.conflict: 1])
    }

    @Test func aNewEpochBeginsAtOne() throws {
        var log = log()
        log.begin(epoch: 60_400)
        for _ in 0..<5 { log.add() }
        let verifier = try Verifier.of([log])
        #expect(verifier.isClean)
        let row = try #require(VerifyReport(verifier).rows().first)
        #expect(row[2] == "60381:1" && row[3] == "60400:5" && row[9] == "epoch 60400 after 60381:20")
        log.begin(epoch: 60_401)
        log.skip(2)
        log.add()
        #expect(faults(try Verifier.of([log])) == [.missing: 2])
        // The lane of before goes on beside the new one.
        log.epoch = 60_381
        log.skip(100)
        log.add()
        #expect(faults(try Verifier.of([log]))[.order] == 1)
    }

    @Test func whatALaneTellsIsNoFault() throws {
        var log = LaneLog("sco.audit")
        func config(_ log: inout LaneLog) {
            log.add(type: "sco.config.applied.v1", chained: true) { json in
                json.member("config", LaneLog.digest)
                json.member("at", LaneLog.wall)
            }
        }
        for _ in 0..<10 { config(&log) }
        // Of the ten the lane has dropped 4 to 6.
        let gone = log.records[5].value ?? []
        let sequence = { CloudEvent.sequence(epoch: 60_381, seq: $0) }
        var json = JSONWriter()
        json.object { json in
            json.member("previous", SHA256.hex(log.records[2].value ?? []))
            json.member("first", sequence(4))
            json.member("last", sequence(6))
            json.member("count", 3)
            json.member("sha256", SHA256.hex(gone))
        }
        log.records[5].value = json.bytes
        log.setHeader(5, "ce_type", "sco.messages.dropped.v1")
        log.setHeader(5, "ce_dataschema", "urn:lanewatch:schema:sco.messages.dropped.v1")
        log.setHeader(
            5, "ce_id",
            LaneUUID(hashing: [log.identity.source, log.topic, "60381", "6", "sco.messages.dropped.v1"]).description)
        log.records.removeSubrange(3..<5)
        var found = faults(try Verifier.of([log]))
        // Its schema comes with the outbox; all else is as it must be.
        found[.unknown] = nil
        found[.schema] = nil
        #expect(found == [:])
        #expect(try Verifier.of([log]).streams[0].ledger.told == 2)
        log.records[3].value = log.records[3].value.map {
            Array(String(decoding: $0, as: UTF8.self).replacing(sequence(4), with: sequence(5)).utf8)
        }
        #expect(faults(try Verifier.of([log]))[.missing] == 1)
    }

    @Test func aMessageThatIsWithheldHoldsThePlaceAndTheChain() throws {
        var log = audit()
        let value = log.records[2].value ?? []
        var json = JSONWriter()
        json.object { json in
            json.member("previous", SHA256.hex(log.records[1].value ?? []))
            json.member("withheld", "sco.config.applied.v1")
            json.member("reason", "MSG_SIZE_TOO_LARGE")
            json.member("bytes", value.count)
            json.member("sha256", SHA256.hex(value))
        }
        log.records[2].value = json.bytes
        log.setHeader(2, "ce_type", "sco.message.withheld.v1")
        log.setHeader(2, "ce_dataschema", "urn:lanewatch:schema:sco.message.withheld.v1")
        let verifier = try Verifier.of([log])
        let found = faults(verifier)
        #expect(found[.chain] == nil && found[.missing] == nil && found[.conflict] == nil)
        #expect(verifier.streams[0].withheld == 1)
        log.change(2, "\"sha256\":\"", "\"sha256\":\"0")
        #expect(faults(try Verifier.of([log]))[.chain] == 1)
    }

    @Test func aBrokenChainIsFound() throws {
        var altered = audit()
        altered.change(2, "abab", "cdcd")
        #expect(faults(try Verifier.of([altered])) == [.chain: 1])
        // Behind a gap it begins anew; the first of an epoch has a link of zeros.
        var cut = audit()
        cut.records.remove(at: 2)
        #expect(faults(try Verifier.of([cut])) == [.missing: 1])
        var first = audit()
        first.change(0, "\"0", "\"1")
        #expect(faults(try Verifier.of([first])) == [.chain: 2])
    }

    @Test(arguments: [
        ("ce_type", nil, Fault.headers), ("ce_sequence", "17", .headers), ("ce_time", "yesterday", .headers),
        ("ce_source", "/stores/0042", .headers), ("content-type", "text/plain", .headers),
        ("ce_specversion", "0.3", .headers), ("ce_dataschema", "urn:lanewatch:schema:sco.config.applied.v1", .headers),
        ("ce_severitytext", "WARN", .headers), ("ce_recordedtime", nil, .headers), ("ce_partitionkey", "0042/08", .key),
        ("ce_id", "5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55", .id),
    ]) func aWrongHeaderIsFound(name: String, value: String?, fault: Fault) throws {
        var log = log(3)
        log.setHeader(2, name, value)
        let verifier = try Verifier.of([log])
        #expect(faults(verifier) == [fault: 1], "\(verifier.streams.map(\.findings))")
        if let value, value.count > 5, fault == .headers {
            #expect(!VerifyReport(verifier).faults().joined().contains(value))
        }
    }

    @Test func keyValueAndSchemaAreLookedAt() throws {
        var key = log(3)
        key.records[1].key = Array("0042/08".utf8)
        key.records[2].key = nil
        #expect(faults(try Verifier.of([key])) == [.key: 2])
        var empty = log(3)
        empty.records[1].value = nil
        empty.records[2].value = []
        #expect(faults(try Verifier.of([empty])) == [.value: 2])
        var schema = log(3)
        schema.change(1, "\"device\":\"scanner\"", "\"device\":4111111111111111")
        let verifier = try Verifier.of([schema])
        #expect(faults(verifier) == [.schema: 1])
        #expect(
            VerifyReport(verifier).faults()
                == ["sco.device-health 0042/07: device must be string (partition 0, offset 1)"])
        var unknown = log(3)
        unknown.setHeader(1, "ce_type", "sco.device.eaten.v1")
        unknown.setHeader(1, "ce_dataschema", "urn:lanewatch:schema:sco.device.eaten.v1")
        #expect(faults(try Verifier.of([unknown])) == [.unknown: 1])
    }

    @Test func aLaneOnTwoPartitionsIsSplit() throws {
        var log = log()
        for place in 12..<20 { log.records[place].partition = 3 }
        // Partitions are read beside each other.
        log.records = Array(log.records[12..<20]) + log.records[0..<12]
        let verifier = try Verifier.of([log])
        #expect(faults(verifier)[.split] == 1 && faults(verifier)[.order] == nil)
        #expect(VerifyReport(verifier).faults().contains { $0.contains("on partitions 0, 3") })
    }

    @Test func aCompactedTopicMayHaveHolesButMustEndOnTheYoungest() throws {
        var log = LaneLog("sco.lane-state")
        for _ in 0..<9 {
            log.addLaneState()
        }
        log.records.removeSubrange(2..<6)
        #expect(try Verifier.of([log]).isClean)
        log.records.append(log.records[1])
        let stale = try Verifier.of([log])
        #expect(faults(stale) == [.stale: 1])
        // Sent again in order it ends where it was.
        log.records += log.records[2...4]
        #expect(try Verifier.of([log]).isClean)
        // An operator clears a lane that is gone.
        log.records.append(LaneLog.Record(key: Array("0042/09".utf8), headers: [], value: nil, timestamp: nil))
        let cleared = try Verifier.of([log])
        #expect(cleared.isClean && cleared.streams.last?.tombstones == 1 && cleared.streams.last?.lane == "0042/09")
    }

    @Test func whatCameLateIsTold() throws {
        var log = log(4)
        log.records[2].timestamp = LaneLog.wall.milliseconds + 3_600_000
        let verifier = try Verifier.of([log])
        #expect(verifier.isClean && verifier.streams[0].late == 1)
        #expect(VerifyReport(verifier).rows()[0].last == "1 late, the longest by 60 min")
    }

    @Test func onlyTheLanesThatAreAskedForAreLookedAt() throws {
        var other = LaneLog("sco.device-health", store: "0042", lane: "08")
        for _ in 0..<5 { other.add() }
        other.records.remove(at: 2)
        let both = try Verifier.of([log(), other])
        #expect(faults(both) == [.missing: 1] && both.streams.count == 2)
        let one = try Verifier.of([log(), other]) { $0.lanes = ["0042/07"] }
        #expect(one.isClean && one.streams.count == 1 && one.skipped == 4)
    }

    @Test func whatIsReadFromTheMiddleHasABeginning() throws {
        var log = log()
        log.records.removeSubrange(0..<7)
        log.records.insert(log.records[0], at: 3)
        let verifier = try Verifier.of([log])
        #expect(verifier.isClean)
        #expect(VerifyReport(verifier).rows()[0].last == "begins at 8")
    }

    /// Bytes of any kind are told as faults, never more.
    @Test func noBytesBringItDown() throws {
        var random = SeededGenerator(seed: 7)
        var log = log(200)
        for place in log.records.indices {
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let header = Int.random(in: 0..<log.records[place].headers.count, using: &random)
                let bytes = (0..<Int.random(in: 0..<40, using: &random)).map { _ in
                    UInt8.random(in: 0...127, using: &random)
                }
                log.records[place].headers[header].1 = String(decoding: bytes, as: UTF8.self)
            }
            guard var value = log.records[place].value, Bool.random(using: &random) else { continue }
            value[Int.random(in: 0..<value.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            log.records[place].value = value
        }
        let report = VerifyReport(try Verifier.of([log]))
        #expect(!report.isClean && !report.summary.isEmpty)
        var json = JSONWriter()
        report.write(to: &json)
        for line in json.text.split(separator: "\n") { _ = try JSONValue(parsing: String(line)) }
    }

    @Test func theReportForToolsTellsTheSame() throws {
        var log = log()
        log.records.removeSubrange(4..<7)
        log.records.swapAt(8, 9)
        let report = VerifyReport(try Verifier.of([log]))
        var json = JSONWriter()
        report.write(to: &json)
        let lines = try json.text.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
        try #require(lines.count == 2)
        #expect(lines[0]["lane"]?.text == "0042/07" && lines[0]["clean"]?.bool == false)
        #expect(lines[0]["epochs"]?.elements?.first?["gaps"]?.written == "[[5,7]]")
        #expect(lines[0]["findings"]?.elements?.first?["offset"]?.int == 9)
        #expect(lines[1]["faults"]?.written == #"{"missing":3,"order":1}"# && lines[1]["clean"]?.bool == false)
    }
}
