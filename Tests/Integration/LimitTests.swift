import Feeds
import Foundation
import Testing

extension Integration {
    /// Each bound of the engine is counted on the page, and told once.
    @Suite(.serialized) struct Limits {
        static let rules = """
            format: 1
            rules:
              - {id: keys, on: payment.started, unless: payment.approved, within: 10m, same: pay, severity: info}
              - {id: active, on: item.refused, same: code, severity: info, clear_after: 10m}
              - {id: pattern, on: pos.message where text matches /(a+)+$/, severity: info, clear_after: 10m}
            """

        @Test func boundsAreCountedAndToldOnce() throws {
            let lane = try LaneUnderTest(rules: Self.rules)
            try lane.start()
            var client = try SignalClient(path: lane.socketPath)
            func send(_ line: String) throws {
                _ = try client.send(Array(line.utf8), timeout: .seconds(10))
            }
            func reached(_ limit: String) throws -> Double {
                try lane.metric("lanewatch_rule_limits_total", label: "limit=\"\(limit)\"")
            }
            for limit in ["keys", "key_bytes", "active", "pattern"] { #expect(try reached(limit) == 0) }

            let long = String(repeating: "x", count: 300)
            for end in ["1", "2"] { try send(#"{"type":"item.refused","code":"\#(long)\#(end)","ack":true}"#) }
            #expect(try reached("key_bytes") == 2)
            let slow = String(repeating: "a", count: 60) + "b"
            for _ in 0..<2 { try send(#"{"type":"pos.message","text":"\#(slow)","ack":true}"#) }
            #expect(try reached("pattern") == 2)
            for number in 0..<1002 {
                try send(#"{"type":"payment.started","pay":"P\#(number)","ack":true}"#)
                try send(#"{"type":"item.refused","code":"c\#(number)","ack":true}"#)
            }
            #expect(try reached("keys") == 2)
            // The cut value is one of the thousand.
            #expect(try reached("active") == 3)
            #expect(
                try lane.metric("lanewatch_rule_suppressed_total", label: "reason=\"limit\"") == 3)
            for limit in ["keys", "key_bytes", "active", "pattern"] {
                let told = lane.log.filter { $0.contains("\"limit\":\"\(limit)\"") }
                #expect(told.count == 1, "\(limit): \(told)")
            }
        }
    }
}
