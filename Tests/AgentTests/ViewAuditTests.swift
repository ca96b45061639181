import Foundation
import Lane
import Loop
@testable import Net
import Outbox
import Testing

@testable import Agent

/// What the live view has for the audit: taken once, kept durably, from those alone who may say it.
@Suite(.serialized) struct ViewAuditTests {
    static let session = ViewFact.Session(
        id: "5f0c9a1e7d42-3", attendant: "anna", way: "token", mode: "control",
        intervention: "5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55", from: "10.1.2.3",
        masks: "sha256:" + String(repeating: "a", count: 64))
    static let at = WallInstant(milliseconds: 1_795_000_000_123)
    static let opened = ViewFact(session, at: at, .opened(isEncrypted: true, isWeb: false))
    static let control = ViewFact(session, at: at, .control(.taken, other: nil))
    static let closed = ViewFact(
        session, at: at,
        .closed(.init(cause: "ended", why: "shift's end", by: 0, durationMilliseconds: 61_000, inputs: 17)))

    private func peer(_ user: UInt32 = geteuid()) -> LineServer.Peer { .init(user: user, group: 65_534, process: 1) }

    /// What stands in the facts of the outbox in `folder`, which nobody has open.
    @LoopActor private func kept(_ folder: LaneRunnerTests.Folder) async throws -> [UInt8]? {
        let outbox = try Outbox(OutboxConfiguration(folder: folder.path))
        let recovered = try await outbox.recover()
        await outbox.close()
        return recovered.facts[Facts.viewTold]
    }

    @LoopActor private func take(
        _ desk: ViewDesk, _ fact: ViewFact, _ stream: String, _ number: Int64, from peer: LineServer.Peer
    ) async throws -> Bool? {
        try await withCheckedThrowingContinuation { (done: CheckedContinuation<Bool?, any Error>) in
            do throws(ControlFault) {
                try desk.take(fact, stream: stream, number: number, from: peer) { done.resume(returning: $0) }
            } catch { done.resume(throwing: error) }
        }
    }

    @Test @LoopActor func eachFactIsInTheAuditOnceAndChained() async throws {
        let folder = try LaneRunnerTests.Folder()
        var lane = try await LaneRunnerTests.Subject(folder)
        var desk = ViewDesk(nil) { [runner = lane.runner] in runner }
        let stream = String(repeating: "1", count: 32)
        #expect(try await take(desk, Self.opened, stream, 1, from: peer()) == false)
        #expect(try await take(desk, Self.control, stream, 2, from: peer()) == false)
        // Handed over again: known, and said so once more.
        #expect(try await take(desk, Self.opened, stream, 1, from: peer()) == true)
        #expect(try await take(desk, Self.control, stream, 2, from: peer()) == true)
        // As after kill -9 of the agent: the answer was lost, the fact comes again.
        await lane.outbox.close()
        let known = try await kept(folder)
        lane = try await LaneRunnerTests.Subject(folder)
        desk = ViewDesk(known) { [runner = lane.runner] in runner }
        #expect(try await take(desk, Self.control, stream, 2, from: peer()) == true)
        #expect(try await take(desk, Self.closed, stream, 3, from: peer()) == false)
        // Another life of the view begins at 1 again.
        let other = String(repeating: "2", count: 32)
        #expect(try await take(desk, Self.opened, other, 1, from: peer()) == false)

        let messages = try await lane.messages("sco.audit")
        #expect(
            messages.map { $0.headers["ce_type"] } == [
                "sco.view.opened.v1", "sco.view.control.v1", "sco.view.closed.v1", "sco.view.opened.v1",
            ])
        #expect(Set(messages.map(\.id)).count == 4)
        var previous = String(repeating: "0", count: 64)
        for message in messages {
            let bytes = try #require(message.value)
            let value = try JSONValue(parsing: bytes)
            #expect(value["previous"]?.text == previous)
            previous = SHA256.hex(bytes)
            #expect(value["session"]?.text == Self.session.id && value["attendant"]?.text == "anna")
            #expect(value["uid"]?.int == Int64(geteuid()) && value["at"]?.text == Self.at.rfc3339)
            #expect(message.headers["ce_subject"] == Self.session.id)
            #expect(message.headers["ce_time"] == Self.at.rfc3339)
        }
        let closed = try JSONValue(parsing: try #require(messages[2].value))
        #expect(closed["cause"]?.text == "ended" && closed["why"]?.text == "shift's end" && closed["by"]?.int == 0)
        #expect(closed["durationMs"]?.int == 61_000 && closed["inputs"]?.int == 17)
        try await lane.end()
    }

    @Test @LoopActor func onlyThoseWhoAreNamedMayTell() async throws {
        let lane = try await LaneRunnerTests.Subject(try LaneRunnerTests.Folder())
        let desk = ViewDesk(nil) { [runner = lane.runner] in runner }
        let stream = String(repeating: "3", count: 32)
        await #expect(throws: ControlFault.self) { try await take(desk, Self.opened, stream, 1, from: peer(4711)) }
        #expect(try await lane.messages("sco.audit").isEmpty)
        desk.tellers = PeerRule(users: [4711], groups: [])
        #expect(try await take(desk, Self.opened, stream, 1, from: peer(4711)) == false)
        let message = try #require(try await lane.messages("sco.audit").first)
        #expect(try JSONValue(parsing: try #require(message.value))["uid"]?.int == 4711)
        try await lane.end()
    }

    @Test @LoopActor func aCardNumberAmongNamesStaysOut() async throws {
        let lane = try await LaneRunnerTests.Subject(try LaneRunnerTests.Folder())
        let desk = ViewDesk(nil) { [runner = lane.runner] in runner }
        var fact = Self.closed
        fact.session.attendant = "4111111111111111"
        fact.kind = .closed(
            .init(cause: "ended", why: "it said 4111 1111 1111 1111", durationMilliseconds: nil, inputs: nil))
        #expect(try await take(desk, fact, String(repeating: "4", count: 32), 1, from: peer()) == false)
        let text = String(decoding: try #require(try await lane.messages("sco.audit").first?.value), as: UTF8.self)
        #expect(!text.contains("4111") && text.contains("[masked]"))
        try await lane.end()
    }

    @Test @LoopActor func oldLivesAreForgottenAndTheNewestAreNot() async throws {
        let lane = try await LaneRunnerTests.Subject(try LaneRunnerTests.Folder())
        let desk = ViewDesk(nil) { [runner = lane.runner] in runner }
        func stream(_ number: Int) -> String { "life-of-a-view-\(1000 + number)" }
        for number in 0..<ViewDesk.mostStreams + 3 {
            #expect(try await take(desk, Self.opened, stream(number), 9, from: peer()) == false)
        }
        let again = ViewDesk(desk.known) { [runner = lane.runner] in runner }
        #expect(try await take(again, Self.opened, stream(ViewDesk.mostStreams + 2), 9, from: peer()) == true)
        #expect(try JSONValue(parsing: again.known).members?.count == ViewDesk.mostStreams)
        try await lane.end()
    }

    // MARK: The line

    private func parse(_ line: [UInt8]) throws -> ControlRequest {
        try line.withUnsafeBytes { (bytes) throws(ControlFault) in try ControlRequest(parsing: bytes) }
    }

    @Test(arguments: [opened, control, closed]) func aFactSurvivesItsLine(_ fact: ViewFact) throws {
        let stream = String(repeating: "5", count: 32)
        let request = try parse(fact.line(stream: stream, number: 7))
        #expect(request == .view(fact, stream: stream, number: 7))
        #expect(try parse(request.line) == request)
    }

    @Test(arguments: [
        ("\"number\":7", "\"number\":0", "needs \"stream\" and \"number\""),
        ("\"fact\":\"opened\"", "\"fact\":\"seen\"", "\"fact\" is one of: opened, control, closed"),
        ("\"mode\":\"control\"", "\"mode\":\"all\"", "\"mode\" is one of: view, control"),
        ("\"from\":\"10.1.2.3\"", "\"from\":\"\"", "\"from\" is a text of 1 to 64 bytes"),
        ("\"attendant\":\"anna\"", "\"attendant\":\"an\\nna\"", "\"attendant\" is a text of 1 to 64 bytes"),
        ("\"masks\":\"sha256:", "\"masks\":\"md5:", "\"masks\" is a digest"),
        ("aaaaaaaa\"", "aaaaaaa\"", "\"masks\" is a digest"),
        ("\"web\":false", "\"web\":false,\"keys\":\"secret\"", "\"view\" has no \"keys\""),
        ("\"at\":\"20", "\"at\":\"x", "\"at\" is a time"),
    ]) func whatIsNoFactIsSaidSo(_ from: String, _ to: String, _ words: String) throws {
        let line = String(
            decoding: Self.opened.line(stream: String(repeating: "6", count: 32), number: 7), as: UTF8.self)
        #expect(line.contains(from))
        #expect {
            try parse(Array(line.replacing(from, with: to).utf8))
        } throws: {
            ($0 as? ControlFault)?.description.contains(words) == true && ($0 as? ControlFault)?.reason == "malformed"
        }
    }
}
