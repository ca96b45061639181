import Foundation
import Lane
import Loop
import Net
import Synchronization
import Testing

@testable import View

/// What is not known is told as such: no agent, one that went away, one that hangs.
@Suite(.serialized, .timeLimit(.minutes(1))) @LoopActor struct LaneLinkTests {
    private nonisolated final class Told: Sendable {
        let all = Mutex<[[String: String?]?]>([])
        func add(_ states: [String: String?]?) { all.withLock { $0.append(states) } }
        var last: [String: String?]?? { all.withLock { $0.last } }
    }

    /// An agent that answers `follow` as the control socket does, and can be made to fall silent.
    @LoopActor private final class Agent {
        var revision: Int64 = 5
        var basket: String? = "open"
        var isSilent = false
        private var waiting: [(after: Int64, reply: LineServer.Reply)] = []
        private var server: LineServer?

        func start(_ path: String) throws {
            server = LineServer(LineServer.Options(path: path), refusal: { Array($0.utf8) }) {
                [unowned self] line, _, reply in
                let after = (try? JSONValue(parsing: Array(line)))?["after"]?.int ?? -1
                waiting.append((after, reply))
                answer()
            }
            try server?.start()
        }

        func answer() {
            guard !isSilent else { return }
            for (after, reply) in waiting where after != revision {
                let value = basket.map { "\"\($0)\"" } ?? "null"
                reply(Array("{\"ok\":true,\"revision\":\(revision),\"states\":{\"basket\":\(value)}}".utf8))
            }
            waiting.removeAll { $0.after != revision }
        }

        func set(_ basket: String?) {
            self.basket = basket
            revision += 1
            answer()
        }

        func stop() {
            server?.stop()
            waiting = []
        }
    }

    private func until(_ told: Told, _ states: [String: String?]?) async -> Bool {
        for _ in 0..<800 {
            if let last = told.last, last == states { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    @Test func statesComeAsTheyChangeAndAreUnknownWithoutAnAgent() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "lanewatch-link-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let told = Told()
        let link = LaneLink(path: folder + "/control.sock") { told.add($0) }
        link.start()
        #expect(await until(told, nil), "nobody is there")
        let agent = Agent()
        try agent.start(folder + "/control.sock")
        #expect(await until(told, ["basket": "open"]))
        #expect(link.fault == nil)
        agent.set("paying")
        #expect(await until(told, ["basket": "paying"]))
        agent.set(nil)
        #expect(await until(told, ["basket": nil]))
        agent.set("open")
        #expect(await until(told, ["basket": "open"]))
        // It hangs: a connection that is open tells nothing.
        agent.isSilent = true
        #expect(await until(told, nil))
        #expect(link.fault != nil)
        agent.stop()
        link.stop()
        // The same twice in a row is told once.
        let all = told.all.withLock { $0 }
        #expect(zip(all, all.dropFirst()).allSatisfy { $0 != $1 }, "\(all)")
    }
}
