import Foundation
import Lane
import Testing

extension Integration {
    /// The agent as a process, devices in the bed, a POS script on the socket, the embedded cluster, kcat as the consumer.
    @Suite(.serialized) struct WholeSystem {
        static let rules = """
            format: 1
            params: {payment_wait: 700ms, gone: 300ms}
            states:
              scanner: {gone: device.detached where device = scanner, here: device.attached where device = scanner}
              basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle}
            rules:
              - id: payment-timeout
                title: Payment has no answer
                on: payment.started
                unless: [payment.approved, payment.declined]
                same: pay
                within: $payment_wait
                severity: warning
                category: payment
                topic: sco.interventions.payment
                escalate: {after: 600ms, severity: critical}
              - {id: will-not-scan, on: scan.read, count: 3, within: 10s, same: code, unless: item.accepted, severity: info, category: scanning, clear_when: item.accepted, clear_after: 2m}
              - {id: scanner-gone, when: scanner is gone, for: $gone, severity: critical, category: hardware}
              - {id: swiped, on: card.swiped, severity: info, clear_after: 1s}
              - {id: age-check, on: item.accepted where age >= 16, same: txn, while: basket is open, severity: info, category: age, remote: true, clear_when: staff.cleared, clear_after: 15m}
            """
        static let devices = """
            devices:
              - {role: scanner, usb: "05e0:1200"}
              - {role: touch, usb: "04e7:0020"}
            """

        @Test func fromDeviceToKafka() throws {
            let bed = try Bed()
            bed.command("plug scan1 scanner node=event3 vendor=05e0 product=1200")
            bed.command("plug touch1 touch node=event4 vendor=04e7 product=0020")
            let lane = try LaneUnderTest(rules: Self.rules, extra: Self.devices, bed: bed)
            try lane.start()
            bed.command("opened scan1 5000")

            // The customer's basket; a code three times; an age-restricted item.
            #expect(try lane.send(#"{"type":"pos.state","state":"basket_open","txn":"T1","ack":true}"#).number != nil)
            for _ in 0..<3 { bed.command("scan scan1 4006381333931 gap=4") }
            try awaitRecords(lane, "sco.interventions") { $0.contains { $0.rule == "will-not-scan" } }
            _ = try lane.send(
                #"{"type":"item.accepted","sku":"4006381333931","txn":"T1","price":349,"age":18,"ack":true}"#)
            // A payment without an answer, its escalation, the late answer.
            _ = try lane.send(
                #"{"type":"payment.started","pay":"P1","txn":"T1","amount":1299,"traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","ack":true}"#
            )
            try awaitRecords(lane, "sco.interventions.payment") {
                $0.contains { $0.value?["severity"]?.text == "critical" }
            }
            _ = try lane.send(#"{"type":"payment.approved","pay":"P1","txn":"T1","ack":true}"#)
            // The scanner's cable is pulled, and put in again.
            bed.command("unplug scan1")
            try awaitRecords(lane, "sco.interventions") { $0.contains { $0.rule == "scanner-gone" } }
            bed.command("plug scan1 scanner node=event3 vendor=05e0 product=1200")
            try awaitRecords(lane, "sco.interventions") {
                $0.contains { $0.rule == "scanner-gone" && $0.state == "cleared" }
            }
            #expect(bed.command("grab scan1") == "grab 0")

            let calls = try lane.records("sco.interventions")
            #expect(
                calls.map { "\($0.state) \($0.rule)" } == [
                    "raised will-not-scan", "cleared will-not-scan", "raised age-check", "raised scanner-gone",
                    "cleared scanner-gone",
                ])
            let payments = try lane.records("sco.interventions.payment")
            #expect(
                payments.map { "\($0.state) \($0.value?["severity"]?.text ?? "")" } == [
                    "raised warning", "updated critical", "cleared critical",
                ])
            for records in [calls, payments] {
                #expect(records.map(\.seq) == (1...records.count).map { Int64($0) })
                #expect(Set(records.map(\.partition)).count == 1)
                #expect(Set(records.map(\.id)).count == records.count)
            }
            let raised = payments[0]
            #expect(raised.key == "0042/L07")
            #expect(raised["content-type"] == "application/json")
            #expect(raised["ce_specversion"] == "1.0")
            #expect(raised["ce_type"] == "sco.intervention.raised.v1")
            #expect(raised["ce_source"] == "/stores/0042/lanes/L07")
            #expect(raised["ce_partitionkey"] == "0042/L07")
            #expect(raised["ce_subject"] == raised.value?["intervention"]?.text)
            #expect(raised["ce_correlationid"] == "T1")
            #expect(raised["ce_causationid"].isEmpty)
            #expect(raised["ce_traceparent"] == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
            #expect(raised["ce_severitytext"] == "WARN" && raised["ce_severitynumber"] == "13")
            #expect(
                WallInstant(rfc3339: raised["ce_time"]) != nil && WallInstant(rfc3339: raised["ce_recordedtime"]) != nil
            )
            #expect(raised["ce_sequence"].count == 20)
            #expect(raised.value?["phase"]?.text == "basket_open")
            #expect(calls[0]["ce_causationid"] != "")
            try Schemas.validate(calls + payments)

            let health = try lane.records("sco.device-health").map { $0["ce_type"] + " " + $0["ce_subject"] }
            #expect(
                health.filter { $0.hasSuffix(" scanner") } == [
                    "sco.device.attached.v1 scanner", "sco.device.detached.v1 scanner",
                    "sco.device.attached.v1 scanner",
                ])
            try checkAudit(lane)
            // Told at most once a second, so the newest may be on its way.
            try awaitRecords(lane, "sco.lane-state") { $0.last?.value?["devices"]?["scanner"]?.bool == true }

            let promtool = try #require(Places.find("promtool"))
            let page = try lane.page("/metrics")
            let (code, output) = try Program.run(promtool, ["check", "metrics"], input: page)
            #expect(code == 0, "\(output)")
            #expect(try lane.page("/healthz").hasPrefix("ok") || lane.page("/healthz").contains("ok"))
            bed.command("kill agent TERM")
            #expect(bed.command("reap agent 5000") == "ok 0")
        }

        private func awaitRecords(
            _ lane: LaneUnderTest, _ topic: String, seconds: Double = 15, _ test: ([Record]) -> Bool
        )
            throws
        {
            let end = Date(timeIntervalSinceNow: seconds)
            while Date() < end {
                if test(try lane.records(topic)) { return }
                usleep(50_000)
            }
            let found = try lane.records(topic).map { "\($0.state) \($0.rule)" }
            throw TestFault("not within \(seconds) s on \(topic); found: \(found); log: \(lane.log.suffix(8))")
        }

        /// Every message of the audit topic names the hash of the one before it.
        private func checkAudit(_ lane: LaneUnderTest) throws {
            let kcat = try #require(Places.find("kcat"))
            let (_, values) = try Program.run(
                kcat,
                [
                    "-b", lane.cluster.bootstrap, "-C", "-t", "sco.audit", "-o", "beginning", "-e", "-q", "-X",
                    "broker.address.family=v4",
                ])
            var previous = String(repeating: "0", count: 64)
            for value in values {
                #expect(try JSONValue(parsing: value)["previous"]?.text == previous)
                previous = SHA256.hex(Array(value.utf8))
            }
            for topic in LaneUnderTest.topics { try Schemas.validate(try lane.records(topic)) }
            let types = try lane.records("sco.audit").map { $0["ce_type"] }
            #expect(types == ["sco.agent.started.v1", "sco.config.applied.v1", "sco.rules.applied.v1"])
        }
    }
}
