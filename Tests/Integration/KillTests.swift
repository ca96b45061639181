import Feeds
import Foundation
import Lane
import Testing

extension Integration {
    /// The whole system, and kill -9 of the agent at 50 random instants, while a POS application writes and a scanner types,
    /// without a pause between lives.
    @Suite(.serialized) struct Kill {
        static let rules = """
            format: 1
            rules:
              - {id: refused, on: item.refused, same: code, severity: info, clear_after: 900ms}
              - {id: scanned, on: scan.read, same: code, severity: info, clear_after: 1h}
              - {id: unanswered, on: payment.started, unless: payment.approved, same: pay, within: 700ms, severity: warning, clear_when: staff.cleared, clear_after: 1h}
            """

        @Test func everyAnsweredSignalHasItsEffectOnce() throws {
            let bed = try Bed()
            bed.command("plug scan1 scanner node=event3 vendor=05e0 product=1200")
            let lane = try LaneUnderTest(rules: Self.rules, extra: WholeSystem.devices, bed: bed)
            var answeredCodes: Set<String> = []
            var answeredPays: Set<String> = []
            var sent = 0
            var random = SystemRandomNumberGenerator()
            let seed = UInt64.random(in: 0...UInt64.max, using: &random)
            var state = seed
            func next(_ range: ClosedRange<Int>) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return range.lowerBound + Int(state >> 33) % (range.count)
            }
            try lane.start()
            for round in 0..<50 {
                let life = Double(next(5...450)) / 1000
                let end = Date(timeIntervalSinceNow: life)
                let killer = Thread { [pid = try lane.agentPid()] in
                    Thread.sleep(until: end)
                    if pid > 0 { Foundation.kill(pid, SIGKILL) }
                }
                killer.start()
                // Writes as fast as it is answered, at most 12 a life, until the agent is gone.
                if var client = try? SignalClient(path: lane.socketPath) {
                    for i in 0..<12 {
                        sent += 1
                        let name = "\(round)-\(i)"
                        let isPayment = i % 3 == 2
                        let line =
                            isPayment
                            ? #"{"type":"payment.started","pay":"\#(name)","ack":true}"#
                            : #"{"type":"item.refused","code":"\#(name)","ack":true}"#
                        guard let answer = try? client.send(Array(line.utf8), timeout: .seconds(5)) else { break }
                        guard answer.number != nil else { continue }
                        if isPayment { answeredPays.insert(name) } else { answeredCodes.insert(name) }
                        usleep(useconds_t(next(0...40) * 1000))
                        // Nobody acknowledges a scan: it may be lost with the agent, but is never told twice.
                        if i == 4 { bed.command("scan scan1 \(GTIN13.code(round))") }
                    }
                }
                while !killer.isFinished { usleep(1000) }
                bed.command("reap agent 10000")
                if round % 5 == 4 {
                    // Also while it is still coming up and goes through its checkpoint.
                    try lane.launch()
                    usleep(useconds_t(next(0...120) * 1000))
                    try lane.kill()
                }
                try lane.start()
            }
            // Every wait that is still armed comes due, then all is delivered.
            usleep(2_000_000)
            try lane.awaitDrained(seconds: 30)
            let records = try lane.records("sco.interventions")
            let once = Kcat.deduplicated(records)
            #expect(once.map(\.seq) == (1...max(1, once.count)).map { Int64($0) }, "seed \(seed)")
            #expect(Set(once.map(\.epoch)).count == 1)

            var raised: [String: Int] = [:]
            var cleared: [String: Int] = [:]
            for record in once {
                let name = record.value?["key"]?["code"]?.text ?? record.value?["key"]?["pay"]?.text ?? ""
                if record.state == "raised" { raised["\(record.rule) \(name)", default: 0] += 1 }
                if record.state == "cleared" { cleared["\(record.rule) \(name)", default: 0] += 1 }
            }
            #expect(raised.values.allSatisfy { $0 == 1 }, "seed \(seed)")
            for code in answeredCodes {
                #expect(raised["refused \(code)"] == 1, "seed \(seed): an answered signal has no effect")
                #expect(cleared["refused \(code)"] == 1, "seed \(seed): clear_after did not survive")
            }
            #expect(raised.keys.contains { $0.hasPrefix("scanned ") }, "no scan came through in 50 lives")
            for pay in answeredPays {
                #expect(raised["unanswered \(pay)"] == 1, "seed \(seed): a wait did not survive")
            }
            #expect(
                answeredCodes.count + answeredPays.count > 100,
                "only \(answeredCodes.count + answeredPays.count) of \(sent) were answered")
            print(
                "kill: 50 kills, \(answeredCodes.count + answeredPays.count) answered signals, \(once.count) messages, "
                    + "\(records.count - once.count) duplicates removed by (source, id)")
            #expect(bed.command("grab scan1") == "grab 0")
            bed.command("kill agent TERM")
            #expect(bed.command("reap agent 5000") == "ok 0")
        }
    }

    /// A different article for each number.
    enum GTIN13 {
        static func code(_ number: Int) -> String {
            let digits = Array("400638100000".utf8).map { Int($0 - 48) }
            var body = digits
            body[11] = number % 10
            body[10] = number / 10 % 10
            let sum = body.enumerated().reduce(0) { $0 + $1.element * ($1.offset % 2 == 0 ? 1 : 3) }
            return body.map(String.init).joined() + "\((10 - sum % 10) % 10)"
        }
    }

    /// Nothing is said for longer than a short gap, then the agent is killed: it was watching all the time, and its wait goes on.
    @Suite(.serialized) struct QuietLane {
        @Test func aWaitSurvivesAKillOnAQuietLane() throws {
            let rules = """
                format: 1
                rules:
                  - {id: unanswered, on: payment.started, unless: payment.approved, same: pay, within: 14s, severity: warning}
                """
            let lane = try LaneUnderTest(rules: rules)
            try lane.start()
            let begin = Date()
            _ = try lane.send(#"{"type":"payment.started","pay":"P1","ack":true}"#)
            Thread.sleep(until: begin.addingTimeInterval(11.5))
            try lane.kill()
            try lane.start()
            Thread.sleep(until: begin.addingTimeInterval(14.2))
            try lane.awaitDrained(seconds: 10)
            let records = try lane.records("sco.interventions")
            #expect(records.map(\.rule) == ["unanswered"])
            #expect(records.first?.value?["lateBy"]?.isNull == true)
        }
    }

    /// All brokers are down for 20 s in the middle.
    @Suite(.serialized) struct Outage {
        @Test func nothingIsLostAndItIsDeliveredWithinFiveSeconds() throws {
            let lane = try LaneUnderTest(rules: Kill.rules)
            try lane.start()
            func send(_ range: Range<Int>) throws {
                var client = try SignalClient(path: lane.socketPath)
                for i in range {
                    let answer = try client.send(Array(#"{"type":"item.refused","code":"\#(i)","ack":true}"#.utf8))
                    #expect(answer.number != nil)
                    usleep(10_000)
                }
            }
            try send(0..<50)
            try lane.awaitDrained(seconds: 15)
            for broker in 1...3 { try lane.cluster.setDown(Int32(broker), true) }
            let down = Date()
            try send(50..<150)
            #expect(try lane.metric("lanewatch_outbox_messages") > 0)
            Thread.sleep(until: down.addingTimeInterval(20))
            for broker in 1...3 { try lane.cluster.setDown(Int32(broker), false) }
            let back = Date()
            try lane.awaitDrained(seconds: 30)
            let seconds = Date().timeIntervalSince(back)
            #expect(seconds < 5, "delivered \(seconds) s after the brokers were back")
            let records = try lane.records("sco.interventions")
            let once = Kcat.deduplicated(records)
            #expect(once.map(\.seq) == (1...max(1, once.count)).map { Int64($0) })
            let codes = once.filter { $0.state == "raised" }.compactMap { $0.value?["key"]?["code"]?.text }
            #expect(codes == (0..<150).map { "\($0)" })
            print(
                "outage: 20 s, \(once.count) messages, drained \(seconds) s after the return, \(records.count - once.count) duplicates"
            )
        }
    }
}
