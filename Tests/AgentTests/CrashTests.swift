import Foundation
import Glibc
import Testing

/// A recorded hour of a lane, and kill -9 of the process that lives it at a thousand points: what it tells is what an
/// uninterrupted life tells, id for id and byte for byte.
@Suite(.serialized) struct CrashTests {
    static let rules = """
        format: 1
        states:
          basket: {open: pos.state where state = basket_open, closed: pos.state where state = idle}
          scanner: {gone: device.detached where device = scanner, here: device.attached where device = scanner}
          network: {down: network.down, up: network.up}
        rules:
          - {id: slow, on: payment.started, unless: [payment.approved, payment.declined], same: pay, within: 45s, severity: warning, topic: sco.interventions.payment, muted_by: offline, escalate: {after: 60s, severity: critical}, clear_after: 30m}
          - {id: declines, on: payment.declined, count: 3, within: 2m, unless: payment.approved, severity: warning, clear_when: payment.approved, clear_after: 10m, cooldown: 30s}
          - {id: rescans, on: scan.read, count: 3, within: 10s, same: code, unless: item.accepted, severity: info, clear_when: item.accepted, clear_after: 2m}
          - {id: idle, when: basket is open, for: 20s, unless: [scan.read, item.accepted], severity: info, escalate: [{after: 15s, severity: warning}, {after: 1m, severity: critical}]}
          - {id: unplugged, when: scanner is gone, for: 5s, severity: critical}
          - {id: offline, when: network is down, for: 10s, severity: critical}
          - {id: age, on: item.accepted where age >= 16, same: txn, while: basket is open, severity: info, clear_when: pos.state where state = idle, clear_after: 15m}
          - {id: paper, on: printer.paper where level = out, severity: warning, clear_when: printer.paper where level = ok, clear_after: 4h, cooldown: 1m}
          - {id: help, on: help.requested, severity: info, clear_after: 5m, mode: shadow}
        """

    /// An hour, the same on every run: customers who scan, are slow, are declined, go away; cables and networks that fail.
    static func hour() -> String {
        var state: UInt64 = 0x5EED
        func roll(_ below: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % below
        }
        var lines: [String] = []
        var at = 0
        func say(_ words: String, after milliseconds: Int) {
            at += milliseconds
            lines.append("\(at)ms \(words)")
        }
        var (customer, payment) = (0, 0)
        while at < 3_600_000 {
            customer += 1
            say("pos.state state=basket_open txn=T\(customer)", after: 500 + roll(1500))
            for _ in 0...roll(6) {
                let code = 1000 + roll(20)
                for _ in 0...(roll(4) == 0 ? 3 : 0) { say("scan.read code=\(code)", after: 200 + roll(1600)) }
                let age = roll(5) == 0 ? " age=18" : ""
                if roll(8) > 0 { say("item.accepted sku=\(code) txn=T\(customer)\(age)", after: roll(700)) }
            }
            switch roll(9) {
            case 0: say("device.detached device=scanner", after: 10)
            case 1: say("device.attached device=scanner", after: 10)
            case 2: say("network.down if=eth0", after: 10)
            case 3: say("network.up if=eth0", after: 10)
            case 4: say("printer.paper level=\(roll(2) == 0 ? "out" : "ok")", after: 0)
            case 5: say("help.requested", after: 25_000)
            default: break
            }
            for _ in 0...roll(3) {
                payment += 1
                say("payment.started pay=P\(payment) txn=T\(customer)", after: 500)
                switch roll(14) {
                case 0: say("payment.declined pay=P\(payment) txn=T\(customer)", after: 2000)
                case 1: say("touch", after: 46_000)
                default: say("payment.approved pay=P\(payment) txn=T\(customer)", after: roll(3000))
                }
            }
            say("pos.state state=idle txn=T\(customer)", after: roll(3000))
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The probe, which the build puts beside the tests.
    static var probe: String {
        get throws {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            for place in [own] + CommandLine.arguments {
                var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
                for _ in 0..<3 {
                    let probe = folder.appendingPathComponent("crash-probe").path
                    if FileManager.default.isExecutableFile(atPath: probe) { return probe }
                    folder.deleteLastPathComponent()
                }
            }
            throw CocoaError(.fileNoSuchFile)
        }
    }

    /// Runs the probe. After `kill` lines it is killed, `delay` microseconds later; what it wrote, whole lines only.
    private func run(_ words: [String], killAfter: Int = .max, delay: UInt32 = 0) throws -> [String] {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw CocoaError(.fileReadUnknown) }
        defer { close(ends[0]) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let arguments = [try Self.probe] + words
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, arguments[0], &actions, nil, &pointers, environ)
        close(ends[1])
        guard code == 0 else { throw CocoaError(.executableLoad) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        var isKilled = false
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            if count <= 0 { break }
            text += buffer[0..<count]
            if !isKilled, text.reduce(0, { $0 + ($1 == 10 ? 1 : 0) }) >= killAfter {
                isKilled = true
                usleep(delay)
                Glibc.kill(pid, SIGKILL)
            }
        }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        let whole = text.lastIndex(of: 10).map { text[...$0] } ?? []
        return String(decoding: whole, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    @Test func killedAtAThousandPointsItTellsWhatAnUninterruptedLifeTells() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "crash-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (rules, hour) = (folder.appending(path: "rules.yaml").path, folder.appending(path: "hour").path)
        try Self.rules.write(toFile: rules, atomically: true, encoding: .utf8)
        try Self.hour().write(toFile: hour, atomically: true, encoding: .utf8)
        let count = Self.hour().split(separator: "\n").count
        func life(_ state: String, killAfter: Int = .max, delay: UInt32 = 0) throws -> [String] {
            let words = ["live", folder.appending(path: state).path, rules, hour, "\(killAfter)"]
            return try run(words, killAfter: killAfter, delay: delay)
        }
        #expect(try life("whole").last == "done")

        let expected = try run(["tell", folder.appending(path: "whole").path])
        #expect(expected.count > 300)

        let began = Date()
        var kills = 0
        // Where the machine is busy, more is told before each kill: then another such hour is lived.
        for hour in 0..<10 where kills < 1000 {
            let state = "killed-\(hour)"
            kills += try killAgainAndAgain { try life(state, killAfter: $0, delay: $1) }
            let found = try run(["tell", folder.appending(path: state).path])
            #expect(found.count == expected.count)
            let difference = zip(expected, found).first { $0 != $1 }
            #expect(difference == nil, "the first difference")
        }
        let seconds = Date().timeIntervalSince(began)
        print(
            "crash: \(kills) kills in \(Int(seconds)) s, \(Int(seconds * 1000) / max(1, kills)) ms each, \(count) signals"
        )
        #expect(kills >= 1000)
    }

    /// Kills lives until one of them comes to the hour's end. - Returns: how many it killed.
    private func killAgainAndAgain(_ life: (_ killAfter: Int, _ delay: UInt32) throws -> [String]) throws -> Int {
        var random = SystemRandomNumberGenerator()
        var (kills, told, last) = (0, Set<Int>(), "")
        while last != "done", kills < 5000 {
            // Mostly right after a signal was told; at times in the middle of what comes next.
            let delay = UInt32.random(in: 0...3, using: &random) == 0 ? UInt32.random(in: 0...4000, using: &random) : 0
            let lines = try life(kills % 100 == 99 ? 20 : 1, delay)
            last = lines.last ?? ""
            #expect(!last.hasPrefix("failed"), "\(last)")
            // What was told is never asked for again.
            let numbers = lines.compactMap { Int($0) }
            #expect(told.isDisjoint(with: numbers))
            told.formUnion(numbers)
            if last != "done" { kills += 1 }
        }
        #expect(last == "done")
        return kills
    }
}
