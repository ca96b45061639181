import Foundation
import Lane
import Testing

/// Whether time and mount namespaces can be had: they need root or CAP_SYS_ADMIN, and a kernel of 5.6 or later.
enum Namespaces {
    static let isAllowed: Bool = {
        guard let unshare = Places.find("unshare") else { return false }
        return (try? Program.run(unshare, ["-T", "-m", "--boottime", "1", "/bin/true"]).code) == 0
    }()
    static let refusal: Comment = "time and mount namespaces are refused here (unshare -T -m): run as root to test them"

    /// Starts what follows with CLOCK_BOOTTIME and CLOCK_MONOTONIC so many seconds ahead (or behind).
    static func ahead(boottime: Int, monotonic: Int) -> [String] {
        ["/usr/bin/unshare", "-T", "--boottime", "\(boottime)", "--monotonic", "\(monotonic)"]
    }

    /// As after a reboot: another boot id, and both clocks begin anew, `seconds` ago.
    static func reboot(_ folder: URL, seconds: Int = 30) throws -> [String] {
        let boot = folder.appending(path: "boot-\(UUID().uuidString)")
        try (UUID().uuidString.lowercased() + "\n").write(to: boot, atomically: true, encoding: .utf8)
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        let back = seconds - now.tv_sec
        return ahead(boottime: back, monotonic: back) + [
            "-m", "/bin/sh", "-c", "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"", boot.path,
        ]
    }
}

extension Integration {
    /// Lane time on real clocks: the agent as a process, killed and started again in time namespaces, and with clocks that
    /// move under it (docs/reference/rules.md, "Time").
    @Suite(.serialized) struct Time {
        static let rules = """
            format: 1
            states:
              screen: {frozen: screen.frozen, alive: screen.alive}
            rules:
              - {id: slow, on: payment.started, unless: payment.approved, same: pay, within: 4s, severity: warning}
              - {id: long, on: payment.started, unless: payment.approved, same: pay, within: 12s, severity: warning}
              - {id: help, on: help.requested, severity: info, clear_when: staff.cleared, clear_after: 1h}
              - {id: frozen, when: screen is frozen, for: 20s, severity: critical}
            """

        /// A lane that records its signals: their `t` is lane time.
        private func lane(_ rules: String = Self.rules) throws -> LaneUnderTest {
            try LaneUnderTest(rules: rules, extra: "simulate: true\nrecording: {path: recording.jsonl}")
        }

        private func send(_ lane: LaneUnderTest, _ type: String, _ rest: String = "") throws {
            let answer = try lane.send("{\"type\":\"\(type)\"\(rest),\"ack\":true}")
            #expect(answer.number != nil, "\(type): \(answer.error ?? "")")
        }

        /// All messages about interventions, once there is one that `test` takes.
        private func records(
            _ lane: LaneUnderTest, seconds: Double = 15, until test: (Record) -> Bool
        ) throws -> [Record] {
            let end = Date(timeIntervalSinceNow: seconds)
            var found: [Record] = []
            repeat {
                found = Kcat.deduplicated(try lane.records("sco.interventions"))
                if found.contains(where: test) { return found }
                usleep(50_000)
            } while Date() < end
            Issue.record(
                "no such message in \(seconds) s: \(found.map { "\($0.rule) \($0.state)" }), \(lane.log.suffix(8))")
            return found
        }

        private func wall(_ value: JSONValue?) throws -> Int64 {
            try #require(value?.text.flatMap { WallInstant(rfc3339: $0) }?.milliseconds)
        }

        /// From the first evidence to the raise, on the wall clock.
        private func waited(_ record: Record) throws -> Int64 {
            try wall(record.value?["raisedAt"]) - wall(record.value?["evidence"]?.elements?.first?["at"])
        }

        /// Waits until the recording is on disk: it is written a second behind, and a kill loses what is not.
        private func awaitRecorded(_ lane: LaneUnderTest, _ count: Int) throws {
            let path = lane.folder.appending(path: "recording.jsonl")
            let end = Date(timeIntervalSinceNow: 10)
            while Date() < end {
                let text = (try? String(contentsOf: path, encoding: .utf8)) ?? ""
                if text.split(separator: "\n").count >= count { return }
                usleep(20_000)
            }
            Issue.record("the recording does not hold \(count) signals")
        }

        private func laneTimes(_ lane: LaneUnderTest) throws -> [Int64] {
            // What was recorded is written out at the latest when the agent stops.
            lane.agent?.signal(SIGTERM)
            #expect(lane.agent?.awaitEnd(seconds: 20) == 0)
            let text = try String(contentsOf: lane.folder.appending(path: "recording.jsonl"), encoding: .utf8)
            return try text.split(separator: "\n").compactMap { try JSONValue(parsing: String($0))["t"]?.int }
        }

        // MARK: Restart and reboot

        /// Down for five seconds more than the restart took: short. What is due later is due later, what came due meanwhile is
        /// told with its own time. Whether the machine slept or was only without an agent makes no difference.
        @Test(.enabled(if: Namespaces.isAllowed, Namespaces.refusal), arguments: [5, 0])
        func aShortGapAcrossARestart(monotonic: Int) throws {
            let lane = try lane()
            lane.through = Namespaces.ahead(boottime: 0, monotonic: 0)
            try lane.start()
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try lane.kill()
            lane.through = Namespaces.ahead(boottime: 5, monotonic: monotonic)
            try lane.start()
            let found = try records(lane) { $0.rule == "slow" }
            let raised = try #require(found.first)
            #expect(try waited(raised) == 4000)
            #expect(try #require(raised.value?["lateBy"]?.int) >= 1000)
            let all = try records(lane, seconds: 25) { $0.rule == "long" }
            #expect(all.map(\.rule) == ["slow", "long"])
            // The namespace moved the lane's clock and not the wall clock.
            #expect((6900...7100).contains(try waited(try #require(all.last))))
            #expect(all.last?.value?["lateBy"]?.isNull == true)
            #expect(try lane.metric("lanewatch_rule_dropped_by_gap_total") == 0)
        }

        /// A minute: long. Waits are dropped, what is raised stays, what still lasts has lasted all along.
        @Test(.enabled(if: Namespaces.isAllowed, Namespaces.refusal), arguments: [60, 0])
        func aLongGapAcrossARestart(monotonic: Int) throws {
            let lane = try lane()
            lane.through = Namespaces.ahead(boottime: 0, monotonic: 0)
            try lane.start()
            try send(lane, "help.requested")
            try send(lane, "screen.frozen")
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try lane.kill()
            lane.through = Namespaces.ahead(boottime: 60, monotonic: monotonic)
            try lane.start()
            #expect(try lane.metric("lanewatch_rule_dropped_by_gap_total") == 2)
            try send(lane, "screen.frozen")
            try send(lane, "staff.cleared")
            let found = try records(lane) { $0.state == "cleared" }
            #expect(found.map { "\($0.rule) \($0.state)" } == ["help raised", "frozen raised", "help cleared"])
            #expect(found.first?["ce_subject"] == found.last?["ce_subject"])
            #expect(found[1].value?["assumed"]?.bool == true)
            #expect(try #require(found[1].value?["lateBy"]?.int) >= 40_000)
        }

        /// Where the wall clock was not synchronised, or was set back meanwhile, nobody knows how long the machine was off: as long.
        /// Lane time goes on forwards though the machine's own clock began anew.
        @Test(
            .enabled(if: Namespaces.isAllowed && ClockShim.compiler != nil, Namespaces.refusal),
            arguments: [(0, false), (-600_000, true)])
        func aRebootOfUnknownLength(wall: Int64, isSynchronised: Bool) throws {
            let shim = try ClockShim()
            try shim.set(boottime: 0, wall: 0, isSynchronised: isSynchronised)
            let lane = try lane()
            lane.environment = shim.environment
            try lane.start()
            try send(lane, "help.requested")
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try awaitRecorded(lane, 1)
            try lane.kill()
            lane.through = try Namespaces.reboot(lane.folder)
            try shim.set(boottime: 0, wall: wall, isSynchronised: isSynchronised)
            try lane.start()
            let watched = lane.agent?.awaitLine(seconds: 10) { $0.contains("the lane is watched") }
            #expect(watched?.line.contains("unknown") == true)
            #expect(try lane.metric("lanewatch_rule_dropped_by_gap_total") == 2)
            try send(lane, "staff.cleared")
            let found = try records(lane) { $0.state == "cleared" }
            #expect(found.map { "\($0.rule) \($0.state)" } == ["help raised", "help cleared"])
            #expect(found.first?["ce_subject"] == found.last?["ce_subject"])
            let times = try laneTimes(lane)
            #expect(times.count >= 3 && times == times.sorted())
        }

        /// Synchronised before and after: the wall clock says that it was short.
        @Test(.enabled(if: Namespaces.isAllowed && ClockShim.compiler != nil, Namespaces.refusal))
        func aRebootMappedThroughTheWallClock() throws {
            let shim = try ClockShim()
            let lane = try lane()
            lane.environment = shim.environment
            try lane.start()
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try awaitRecorded(lane, 1)
            try lane.kill()
            lane.through = try Namespaces.reboot(lane.folder)
            try shim.set(boottime: 0, wall: 5000)
            try lane.start()
            let found = try records(lane) { $0.rule == "slow" }
            #expect(try waited(try #require(found.first)) == 4000)
            #expect(try #require(found.first?.value?["lateBy"]?.int) >= 1000)
            #expect(try lane.metric("lanewatch_rule_dropped_by_gap_total") == 0)
            // Lane time went on by what the wall clock says, though the machine's own clock began anew.
            try send(lane, "touch")
            let times = try laneTimes(lane)
            let (first, last) = (try #require(times.first), try #require(times.last))
            #expect(last - first >= 5000 && last - first < 30_000)
        }

        // MARK: While it runs

        private static let withShim: Comment = "no C compiler was found: clocks cannot be moved under a running program"

        /// The machine sleeps for a minute under the running agent.
        @Test(.enabled(if: ClockShim.compiler != nil, withShim))
        func aLongSuspend() throws {
            let shim = try ClockShim()
            let lane = try lane()
            lane.environment = shim.environment
            try lane.start()
            try send(lane, "help.requested")
            try send(lane, "screen.frozen")
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try shim.set(boottime: 60_000, wall: 60_000)
            try send(lane, "screen.frozen")
            let found = try records(lane) { $0.rule == "frozen" }
            #expect(found.map(\.rule) == ["help", "frozen"])
            #expect(found.last?.value?["assumed"]?.bool == true)
            #expect(try lane.metric("lanewatch_rule_dropped_by_gap_total") == 2)
            #expect(try lane.metric("lanewatch_gaps_total", label: "feed=\"agent\"") == 1)
            let health = try lane.records("sco.device-health").filter { $0["ce_type"] == "sco.device.gap.v1" }
            #expect(health.compactMap { $0.value?["reason"]?.text } == ["the machine was suspended"])
            // What is not in the journal is in the snapshot: a crash right after it changes nothing.
            try lane.kill()
            try lane.start()
            try send(lane, "screen.alive")
            let after = try records(lane) { $0.state == "cleared" }
            #expect(after.map { "\($0.rule) \($0.state)" } == ["help raised", "frozen raised", "frozen cleared"])
        }

        @Test(.enabled(if: ClockShim.compiler != nil, withShim))
        func aShortSuspend() throws {
            let shim = try ClockShim()
            let lane = try lane()
            lane.environment = shim.environment
            try lane.start()
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try shim.set(boottime: 6000, wall: 6000)
            try send(lane, "touch")
            let found = try records(lane) { $0.rule == "slow" }
            #expect(try waited(try #require(found.first)) == 4000)
            #expect(try #require(found.first?.value?["lateBy"]?.int) >= 2000)
            #expect(try lane.metric("lanewatch_rule_dropped_by_gap_total") == 0)
        }

        /// Somebody sets the clock by an hour: no timer moves, `at` follows at once.
        @Test(.enabled(if: ClockShim.compiler != nil, withShim), arguments: [3_600_000, -3_600_000])
        func aClockThatIsSet(by step: Int64) throws {
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            func clock(_ wall: Int64) -> String {
                let minute = wall / 60_000 % 1440
                return String(format: "%02d:%02d", Int(minute / 60), Int(minute % 60))
            }
            let span = "\(clock(now + step - 600_000))-\(clock(now + step + 600_000))"
            let shim = try ClockShim()
            let lane = try lane(
                Self.rules + "\n  - {id: then, on: help.requested, at: \"\(span)\", severity: info, clear_after: 1h}\n")
            lane.environment = shim.environment
            try lane.start()
            let began = Date()
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            try send(lane, "help.requested")
            try shim.set(boottime: 0, wall: step)
            try send(lane, "help.requested")
            let found = try records(lane) { $0.rule == "slow" }
            let seconds = Date().timeIntervalSince(began)
            #expect(seconds >= 4 && seconds < 12)
            #expect(found.filter { $0.state == "raised" }.map(\.rule) == ["help", "then", "slow"])
            #expect(found.last?.value?["lateBy"]?.isNull == true)
            #expect(try lane.metric("lanewatch_gaps_total") == 0)
            let times = try laneTimes(lane)
            #expect(times == times.sorted() && (times.last ?? 0) - (times.first ?? 0) < 10_000)
            #expect(lane.log.contains { $0.contains("the wall clock was set") })
        }

        /// A process that does not get to run for three seconds is no gap: the socket keeps what comes. Its timers are told with
        /// their own time, and how late.
        @Test func aBusyMachine() throws {
            let lane = try lane()
            try lane.start()
            try send(lane, "payment.started", ",\"pay\":\"P1\"")
            let agent = try #require(lane.agent)
            agent.signal(SIGSTOP)
            usleep(6_500_000)
            agent.signal(SIGCONT)
            let found = try records(lane) { $0.rule == "slow" }
            #expect(try waited(try #require(found.first)) == 4000)
            #expect(try #require(found.first?.value?["lateBy"]?.int) >= 2000)
            #expect(try lane.metric("lanewatch_gaps_total") == 0)
        }
    }
}
