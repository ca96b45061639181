import Foundation
import Lane
import Rules
import Testing

@testable import Agent

/// `at` on a store's own clock, on the two nights of the year on which it is set.
///
/// The zone is the process's (tzset(3)), so each test runs in a process of its own.
@Suite struct StoreTimeTests {
    /// The minutes of a night, in steps of a quarter of an hour, at which a rule with this `at` fires: UTC, `HH:MM`.
    static func firing(_ at: String, from begin: String, hours: Int, zone: String) throws -> [String] {
        let text = """
            format: 1
            rules: [{id: a, on: touch, severity: info, clear_after: 1s, at: "\(at)"}]

            """
        let set = try #require(RuleFile.load(files: [("x.yaml", Array(text.utf8))]).ruleSet)
        let table = RuleTable(
            set, lane: LaneIdentity(store: "1", lane: "L1"), localTime: StoreZone(name: zone))
        var engine = RuleEngine(table: table)
        let start = try #require(WallInstant(rfc3339: begin))
        var found: [String] = []
        for quarter in 0..<Int64(hours * 4) {
            let wall = WallInstant(milliseconds: start.milliseconds + quarter * 900_000)
            let step = engine.step(
                StampedSignal(
                    number: quarter + 1, at: LaneInstant(milliseconds: wall.milliseconds), wall: wall,
                    signal: Signal(.touch, feed: .evdev)))
            if step.changes.contains(where: { $0.kind == .raise }) {
                found.append(String(wall.rfc3339.dropFirst(11).prefix(5)))
            }
        }
        return found
    }

    static func quarters(_ begin: Int, _ end: Int) -> [String] {
        (begin..<end).map { quarter in
            let (hour, minute) = (quarter / 4 % 24, quarter % 4 * 15)
            return (hour < 10 ? "0" : "") + "\(hour):" + (minute == 0 ? "00" : "\(minute)")
        }
    }

    /// What a rule with each of these `at` does on one night.
    struct Night: Sendable {
        var begin: String
        var hours: Int
        var zone = "Europe/Berlin"
        var at: String
        var expected: [String]
    }

    static let nights: [Night] = [
        // 2026-03-29: at 01:00 UTC the clock goes from 02:00 to 03:00. The hour that it leaps over never comes.
        Night(begin: "2026-03-28T22:00:00Z", hours: 8, at: "02:00-03:00", expected: []),
        // From midnight to six are five hours: 23:00 to 04:00 UTC.
        Night(
            begin: "2026-03-28T22:00:00Z", hours: 8, at: "00:00-06:00", expected: quarters(92, 96) + quarters(0, 16)),
        // A span that begins in the hour that is left out begins when the clock is past it.
        Night(begin: "2026-03-28T22:00:00Z", hours: 8, at: "02:30-04:00", expected: quarters(4, 8)),
        // 2026-10-25: at 01:00 UTC the clock goes back from 03:00 to 02:00. The hour comes twice.
        Night(begin: "2026-10-24T22:00:00Z", hours: 8, at: "02:00-03:00", expected: quarters(0, 8)),
        Night(begin: "2026-10-24T22:00:00Z", hours: 8, at: "02:30-02:45", expected: ["00:30", "01:30"]),
        // From midnight to six are seven hours: 22:00 to 05:00 UTC.
        Night(
            begin: "2026-10-24T22:00:00Z", hours: 8, at: "00:00-06:00", expected: quarters(88, 96) + quarters(0, 20)),
        // A span past midnight belongs to the day it begins on, by the store's calendar: nine hours of that night.
        Night(
            begin: "2026-10-24T12:00:00Z", hours: 36, at: "Sat 22:00-06:00",
            expected: quarters(80, 96) + quarters(0, 20)),
        // Monday morning in Auckland is Sunday in UTC.
        Night(
            begin: "2026-06-07T12:00:00Z", hours: 24, zone: "Pacific/Auckland", at: "Mon 08:00-09:00",
            expected: quarters(80, 84)),
        // In between it is summer, or winter.
        Night(begin: "2026-07-01T12:00:00Z", hours: 24, at: "22:00-23:00", expected: quarters(80, 84)),
        Night(begin: "2026-01-05T12:00:00Z", hours: 24, at: "22:00-23:00", expected: quarters(84, 88)),
    ]

    /// Which of the nights went otherwise, for the process that exits with the place of the first, or with 0.
    static func firstFault(zone: String) -> Int32 {
        for (place, night) in nights.enumerated() where night.zone == zone {
            let found = try? firing(night.at, from: night.begin, hours: night.hours, zone: zone)
            if found != night.expected { return Int32(place + 1) }
        }
        return 0
    }

    @Test func inBerlin() async {
        await #expect(processExitsWith: .exitCode(0)) { exit(StoreTimeTests.firstFault(zone: "Europe/Berlin")) }
    }

    @Test func inAuckland() async {
        await #expect(processExitsWith: .exitCode(0)) { exit(StoreTimeTests.firstFault(zone: "Pacific/Auckland")) }
    }

    /// The nights would be noticed: with another zone the first one fails.
    @Test func inAnotherZoneTheNightsAreOthers() async {
        await #expect(processExitsWith: .exitCode(1)) {
            let first = StoreTimeTests.nights[0]
            exit((try? StoreTimeTests.firing(first.at, from: first.begin, hours: 8, zone: "UTC")) == [] ? 0 : 1)
        }
    }
}
