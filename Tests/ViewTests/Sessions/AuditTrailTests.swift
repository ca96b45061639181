import Foundation
import Lane
import Loop
import Net
import Synchronization
import Testing

@testable import View

/// Stands for the agent's control socket: keeps facts as the agent does, each once.
@LoopActor final class AuditAgent {
    enum Manner { case keeps, refuses, isSilent }

    private(set) var kept: [ViewFact] = []
    private(set) var repeats = 0
    var manner = Manner.keeps
    /// Whether the next answer is lost with its connection, the fact being kept.
    var losesAnswer = false
    var open: [String] = []
    private var last: [String: Int64] = [:]
    private var server: LineServer?
    private var revision: Int64 = 5

    nonisolated init() {}

    func start(_ path: String) throws {
        var options = LineServer.Options(path: path)
        options.answersPerSecond = 10_000
        server = LineServer(options, refusal: { Array($0.utf8) }) { [unowned self] line, _, reply in
            answer(Array(line), reply)
        }
        try server?.start()
    }

    func stop() {
        server?.stop()
        server = nil
    }

    private func answer(_ line: [UInt8], _ reply: @escaping LineServer.Reply) {
        guard let value = try? JSONValue(parsing: line) else { return }
        if value["do"]?.text == "follow" {
            let open = open.map { "{\"intervention\":\"\($0)\"}" }.joined(separator: ",")
            revision += 1
            let text = "{\"ok\":true,\"revision\":\(revision),\"states\":{},\"open\":[\(open)]}"
            EventLoop.shared.schedule(inMilliseconds: 50) { reply(Array(text.utf8)) }
            return
        }
        guard let fact = try? ViewFact(value), let stream = value["stream"]?.text, let number = value["number"]?.int
        else { return reply(Array("{\"ok\":false,\"error\":\"no fact\"}".utf8)) }
        switch manner {
        case .isSilent: return
        case .refuses: return reply(Array("{\"ok\":false,\"error\":\"you may not\"}".utf8))
        case .keeps: break
        }
        let isNew = number > last[stream] ?? 0
        if isNew {
            last[stream] = number
            kept.append(fact)
        } else {
            repeats += 1
        }
        guard !losesAnswer else {
            losesAnswer = false
            return reply(Array("gone".utf8))
        }
        reply(Array("{\"ok\":true,\"kept\":\(number)}".utf8))
    }
}

@Suite(.serialized, .timeLimit(.minutes(2))) struct AuditTrailTests {
    private final class Bed: Sendable {
        let folder: GateFolder
        let agent = AuditAgent()
        let notices = Collected<Notice>()
        var path: String { "\(folder.path)/audit" }
        var socket: String { "\(folder.path)/control.sock" }
        init() throws { folder = try GateFolder() }

        func trail(limit: Int = 4 << 20) throws -> AuditTrail {
            try AuditTrail(path: path, agent: socket, limit: limit) { [notices] in notices.add($0) }
        }

        var lines: Int { ((try? String(contentsOfFile: path, encoding: .utf8)) ?? "").split(separator: "\n").count }

        func awaitKept(_ count: Int) async throws {
            for _ in 0..<2000 where await agent.kept.count < count { try await Task.sleep(for: .milliseconds(5)) }
            #expect(await agent.kept.count == count)
        }
    }

    private func fact(_ session: String, _ kind: ViewFact.Kind) -> ViewFact {
        let session = ViewFact.Session(
            id: session, attendant: "anna", way: "token", mode: "view", intervention: nil, from: "::1",
            masks: "sha256:" + String(repeating: "0", count: 64))
        return ViewFact(session, at: WallInstant(milliseconds: 1_795_000_000_000), kind)
    }

    private func opened(_ session: String) -> ViewFact { fact(session, .opened(isEncrypted: true, isWeb: true)) }
    private func closed(_ session: String) -> ViewFact {
        fact(session, .closed(.init(cause: "closed", durationMilliseconds: 10, inputs: 0)))
    }

    /// Keeps a fact and waits until it is on disk.
    private func keep(_ trail: AuditTrail, _ fact: ViewFact) async -> Bool {
        await withCheckedContinuation { done in trail.keep(fact) { done.resume(returning: $0) } }
    }

    @Test func withTheAgentThereFactsGoThroughAndLeaveNothing() async throws {
        let bed = try Bed()
        try await bed.agent.start(bed.socket)
        let trail = try bed.trail()
        for number in 0..<20 {
            #expect(await keep(trail, opened("a-\(number)")))
            #expect(await keep(trail, closed("a-\(number)")))
        }
        try await bed.awaitKept(40)
        #expect(await bed.agent.kept.map(\.session.id) == (0..<20).flatMap { ["a-\($0)", "a-\($0)"] })
        try awaitTrue(seconds: 10) { bed.lines == 0 }
        #expect(trail.counts.isBalanced && trail.counts.out == 40)
        trail.stop(within: 2000)
        await bed.agent.stop()
    }

    @Test func whatTheAgentDidNotTakeIsHandedOverLaterOnce() async throws {
        let bed = try Bed()
        var trail = try bed.trail()
        #expect(trail.refusal == nil)
        #expect(await keep(trail, opened("a-1")))
        #expect(await keep(trail, closed("a-1")))
        #expect(await keep(trail, opened("a-2")))
        #expect(bed.lines == 3)
        try awaitTrue(seconds: 10) { bed.notices.all.contains { $0.message.contains("does not take the audit") } }
        // This process ends, and another begins, while the agent is away: the second session has no end.
        trail.stop(within: 300)
        trail = try bed.trail()
        try await bed.agent.start(bed.socket)
        // An answer is lost: that fact comes twice, and counts once.
        await { @LoopActor in bed.agent.losesAnswer = true }()
        try await bed.awaitKept(4)
        let kept = await bed.agent.kept
        #expect(kept.map(\.session.id) == ["a-1", "a-1", "a-2", "a-2"])
        guard case .closed(let ending) = kept[3].kind else { throw Failure() }
        #expect(ending.cause == "killed" && ending.durationMilliseconds == nil && ending.inputs == nil)
        try awaitTrue(seconds: 10) { bed.lines == 0 }
        #expect(await bed.agent.repeats == 1)
        trail.stop(within: 2000)
        await bed.agent.stop()
    }

    private struct Failure: Error {}

    /// The opening of a session that goes on stays in the file, also when the agent has it: else nobody would tell its end.
    @Test func aSessionThatWasOpenWhenTheProcessDiedIsEnded() async throws {
        let bed = try Bed()
        try await bed.agent.start(bed.socket)
        let trail = try bed.trail()
        #expect(await keep(trail, opened("a-1")))
        #expect(await keep(trail, opened("a-2")))
        #expect(await keep(trail, closed("a-2")))
        try await bed.awaitKept(3)
        try awaitTrue(seconds: 10) { trail.counts.held == 0 }
        // As kill -9 leaves it.
        let left = try String(contentsOfFile: bed.path, encoding: .utf8)
        #expect(left.contains("a-1"))
        trail.stop(within: 2000)
        try left.write(toFile: bed.path, atomically: true, encoding: .utf8)
        let next = try bed.trail()
        try await bed.awaitKept(4)
        let last = try #require(await bed.agent.kept.last)
        #expect(last.session.id == "a-1" && last.type == "sco.view.closed.v1")
        next.stop(within: 2000)
        await bed.agent.stop()
    }

    @Test func aRefusalKeepsItAndAHangDoesNotStopWriting() async throws {
        let bed = try Bed()
        try await bed.agent.start(bed.socket)
        await { @LoopActor in bed.agent.manner = .refuses }()
        let trail = try bed.trail()
        #expect(await keep(trail, opened("a-1")))
        try awaitTrue(seconds: 10) {
            bed.notices.all.contains { $0.fields.contains { $0.value.contains("you may not") } }
        }
        await { @LoopActor in bed.agent.manner = .isSilent }()
        for number in 2..<8 { #expect(await keep(trail, opened("a-\(number)"))) }
        #expect(bed.lines == 7)
        // Told once, not with each attempt.
        #expect(bed.notices.all.filter { $0.level == .warning }.count == 1)
        await { @LoopActor in bed.agent.manner = .keeps }()
        try await bed.awaitKept(7)
        trail.stop(within: 2000)
        await bed.agent.stop()
    }

    @Test func aFullFileOpensNoSessionAndStillTakesTheEndsOfThoseThatAreOpen() async throws {
        let bed = try Bed()
        let trail = try bed.trail(limit: 20 * AuditTrail.factBytes)
        var open: [String] = []
        while trail.refusal == nil, open.count < 1000 {
            open.append("a-\(open.count)")
            #expect(await keep(trail, opened(open[open.count - 1])))
        }
        #expect(open.count > 5 && open.count < 1000)
        #expect(trail.refusal?.contains("too much waits") == true)
        #expect(trail.fault?.contains("start the agent") == true)
        for session in open { #expect(await keep(trail, closed(session))) }
        // The agent is back: there is room again.
        try await bed.agent.start(bed.socket)
        try await bed.awaitKept(2 * open.count)
        try awaitTrue(seconds: 10) { trail.refusal == nil && trail.hasRoom }
        #expect(trail.counts.isBalanced && trail.counts.droppedTotal == 0)
        trail.stop(within: 2000)
        await bed.agent.stop()
    }

    @Test func aDiskThatFailsRefusesUntilItIsWellAgain() async throws {
        let bed = try Bed()
        let trail = try bed.trail()
        // Root can write everywhere: a folder in the file's place stops it all the same.
        try FileManager.default.createDirectory(atPath: bed.path, withIntermediateDirectories: false)
        #expect(await keep(trail, opened("a-1")) == false)
        #expect(trail.refusal?.contains("cannot be noted") == true)
        #expect(trail.fault?.contains("cannot be written") == true)
        #expect(bed.notices.all.contains { $0.level == .error })
        try FileManager.default.removeItem(atPath: bed.path)
        try awaitTrue(seconds: 10) { trail.refusal == nil }
        #expect(bed.lines == 1, "what could not be written is there now")
        #expect(await keep(trail, closed("a-1")))
        trail.stop(within: 300)
    }

    @Test func twoProcessesDoNotShareAFile() throws {
        let bed = try Bed()
        let trail = try bed.trail()
        #expect { try bed.trail() } throws: {
            ($0 as? AuditFault)?.description.contains("another lanewatch view runs") == true
        }
        trail.stop(within: 300)
    }

    @Test func linesThatWereCutOrSpoiledAreLeftOut() async throws {
        let bed = try Bed()
        let good = String(
            decoding: opened("a-1").line(stream: String(repeating: "7", count: 32), number: 1), as: UTF8.self)
        let end = String(
            decoding: closed("a-1").line(stream: String(repeating: "7", count: 32), number: 2), as: UTF8.self)
        try "\(good)\nspoiled\n{}\n\(end)\n\(good.prefix(80))".write(
            toFile: bed.path, atomically: true, encoding: .utf8)
        try await bed.agent.start(bed.socket)
        let trail = try bed.trail()
        try await bed.awaitKept(2)
        #expect(bed.notices.all.contains { $0.level == .error && $0.fields.contains { $0.value == "2" } })
        try awaitTrue(seconds: 10) { bed.lines == 0 }
        trail.stop(within: 2000)
        await bed.agent.stop()
    }
}
