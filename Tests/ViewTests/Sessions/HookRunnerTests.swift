import Foundation
import Lane
import Loop
import Testing

@testable import View

/// Real programs, started with a list of words and a few variables, in their time.
@Suite(.serialized, .timeLimit(.minutes(1))) struct HookRunnerTests {
    private let folder: GateFolder
    private let notices = Collected<Notice>()

    init() throws { folder = try GateFolder() }

    /// A program that does `script`.
    private func program(_ script: String, _ name: String = "hook") throws -> String {
        let path = "\(folder.path)/\(name)"
        try "#!/bin/sh\n\(script)\n".write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
        return path
    }

    private func runner(_ hooks: HookRunner.Hooks, seconds: Double = 20) -> HookRunner {
        HookRunner(hooks, lane: "0042/07", seconds: seconds) { [notices] in notices.add($0) }
    }

    private func fact(_ kind: ViewFact.Kind, attendant: String? = "Anna; rm -rf $HOME") -> ViewFact {
        ViewFact(
            .init(
                id: "5f0c-3", attendant: attendant, way: "token", mode: "control", intervention: nil, from: "::1",
                masks: "sha256:0"), at: WallInstant(milliseconds: 1_795_000_000_000), kind)
    }

    private let opening = ViewFact.Kind.opened(isEncrypted: true, isWeb: false)

    @Test func aHookHasTheSessionsFactsAndNoShellReadsThem() throws {
        let out = "\(folder.path)/out"
        let runner = runner(
            .init(
                open: [try program("printf '%s\\n' \"$@\" > \(out); env | sort >> \(out)"), "one two", "$HOME", "*"],
                close: [try program("env > \(out).close", "closing")]))
        runner.run(fact(opening))
        try awaitTrue(seconds: 20) { runner.counts.out == 1 }
        let lines = try String(contentsOfFile: out, encoding: .utf8).split(separator: "\n").map(String.init)
        #expect(lines.prefix(3) == ["one two", "$HOME", "*"])
        #expect(lines.contains("LANEWATCH_SESSION=5f0c-3") && lines.contains("LANEWATCH_EVENT=open"))
        #expect(lines.contains("LANEWATCH_ATTENDANT=Anna; rm -rf $HOME") && lines.contains("LANEWATCH_LANE=0042/07"))
        #expect(lines.contains("LANEWATCH_MODE=control") && lines.contains("LANEWATCH_FROM=::1"))
        // Nothing of this process's own surroundings.
        #expect(!lines.contains { $0.hasPrefix("HOME=") || $0.hasPrefix("USER=") })
        // There is none for it.
        runner.run(fact(.control(.taken, other: nil)))
        runner.run(fact(.closed(.init(cause: "idle", durationMilliseconds: 61_000, inputs: 4))))
        try awaitTrue(seconds: 20) { runner.counts.out == 2 }
        let closing = try String(contentsOfFile: out + ".close", encoding: .utf8)
        #expect(closing.contains("LANEWATCH_CAUSE=idle\n") && closing.contains("LANEWATCH_DURATION_MS=61000\n"))
        #expect(runner.counts.in == 2 && runner.counts.isBalanced)
    }

    @Test func whatFailsIsToldAndCounted() throws {
        let failing = runner(.init(open: [try program("echo card 4111111111111111; echo no tower >&2; exit 3")]))
        failing.run(fact(opening))
        try awaitTrue(seconds: 20) { failing.counts.dropped["failed"] == 1 }
        let notice = try #require(notices.all.last)
        let text = notice.fields.map(\.value).joined(separator: "|")
        #expect(notice.level == .warning && text.contains("it ended with 3") && text.contains("no tower"))
        #expect(!text.contains("4111"))
        let missing = runner(.init(open: ["/nowhere/at/all"]))
        missing.run(fact(opening))
        try awaitTrue(seconds: 20) { missing.counts.dropped["not_started"] == 1 }
        #expect(notices.all.last?.fields.contains { $0.value.contains("No such file") } == true)
        #expect(failing.counts.isBalanced && missing.counts.isBalanced)
    }

    @Test func oneThatHangsIsEndedWithAllThatItStarted() throws {
        let mark = "\(folder.path)/child"
        let runner = runner(
            .init(open: [try program("sleep 600 & echo $! > \(mark).new; mv \(mark).new \(mark); wait")]), seconds: 3)
        runner.run(fact(opening))
        try awaitTrue(seconds: 30) { runner.counts.dropped["late"] == 1 }
        let text = try String(contentsOfFile: mark, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
        let child = try #require(pid_t(text))
        // Reaped by whoever inherits it, so it may be there for a moment.
        try awaitTrue(seconds: 10) {
            let state = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ""
            return state.isEmpty || state.contains(") Z ")
        }
    }

    @Test func aFloodOfThemIsBounded() throws {
        let gate = "\(folder.path)/gate"
        let runner = runner(
            .init(open: [try program("echo . >> \(folder.path)/ran; while [ ! -e \(gate) ]; do sleep 0.05; done")]))
        let began = Boottime.milliseconds()
        for _ in 0..<100 { runner.run(fact(opening)) }
        // Whoever tells of a session does not wait.
        #expect(Boottime.milliseconds() - began < 5000)
        let counts = runner.counts
        #expect(counts.dropped["crowded"] ?? 0 >= 100 - HookRunner.mostWaiting - HookRunner.mostAtOnce)
        #expect(counts.isBalanced && counts.held > 0)
        func ran() -> Int {
            ((try? String(contentsOfFile: "\(folder.path)/ran", encoding: .utf8)) ?? "").split(separator: "\n").count
        }
        try awaitTrue(seconds: 20) { ran() == HookRunner.mostAtOnce }
        usleep(200_000)
        #expect(ran() == HookRunner.mostAtOnce, "no more than that run at once")
        try "".write(toFile: gate, atomically: true, encoding: .utf8)
        try awaitTrue(seconds: 30) { runner.counts.held == 0 }
        #expect(runner.counts.isBalanced && ran() == runner.counts.out)
    }
}
