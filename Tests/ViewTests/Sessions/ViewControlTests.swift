import Glibc
import Lane
import Loop
import Net
import Testing

@testable import View

/// The view's control socket, asked over a real one.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ViewControlTests {
    private let folder: GateFolder
    private let ended = Collected<String>()
    private var path: String { "\(folder.path)/view.sock" }

    init() throws { folder = try GateFolder() }

    private static let line = SessionBook.Line(
        session: .init(
            id: "5f0c9a1e7d42-3", attendant: "anna", way: "token", mode: "control", intervention: nil, from: "10.1.2.3",
            masks: "sha256:0"),
        visitor: Visitor(
            id: 3, grant: Grant(attendant: "anna", mode: .control, way: .token), address: "10.1.2.3", isEncrypted: true,
            isWebSocket: false), hasControl: true, since: WallInstant(milliseconds: 1_795_000_000_000), inputs: 7)

    private func start(changers: PeerRule = PeerRule(users: [], groups: [])) async throws -> ViewControl {
        var server = LineServer.Options(path: path)
        server.mode = 0o660
        server.answersPerSecond = 1000
        let options = ViewControl.Options(server: server, changers: changers, store: "0042", lane: "07")
        return try await { @LoopActor [ended] in
            let control = ViewControl(
                options,
                lines: {
                    let status = VisitorStatus(
                        visitor: Self.line.visitor, heard: Boottime.milliseconds(), bytesIn: 12, bytesOut: 345,
                        encoding: RFBEncoding.zrle)
                    return [(Self.line, status)]
                },
                end: { (session, why, user) throws(ReceptionFault) in
                    guard session == "3" else { throw ReceptionFault("no session \"\(session)\"") }
                    ended.add("\(session) \(why ?? "-") \(user)")
                    return Self.line.session.id
                })
            try control.start { _ in }
            return control
        }()
    }

    private func ask(_ line: String) throws -> JSONValue {
        var client = try LineClient(path: path, timeout: .seconds(10))
        return try JSONValue(parsing: try client.exchange(Array(line.utf8), timeout: .seconds(10)))
    }

    @Test func itTellsWhoWatchesAndEndsOne() async throws {
        let control = try await start()
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o660)
        let answer = try ask(#"{"do":"sessions"}"#)
        let session = try #require(answer["sessions"]?.elements?.first)
        #expect(answer["ok"]?.bool == true && answer["lane"]?.text == "07")
        #expect(session["session"]?.text == "5f0c9a1e7d42-3" && session["control"]?.bool == true)
        #expect(session["encoding"]?.text == "ZRLE" && session["bytesOut"]?.int == 345 && session["inputs"]?.int == 7)
        #expect(session["intervention"] == .null && session["encrypted"]?.bool == true)
        #expect(try ask(#"{"do":"end","session":"3","why":"enough"}"#)["ended"]?.text == "5f0c9a1e7d42-3")
        #expect(try ask(#"{"do":"end","session":"9"}"#)["error"]?.text == "no session \"9\"")
        #expect(ended.all == ["3 enough \(geteuid())"])
        await { @LoopActor in
            #expect(control.counts.isBalanced && control.counts.out == 2 && control.counts.dropped == ["unknown": 1])
            control.stop()
        }()
        #expect(access(path, F_OK) != 0)
    }

    @Test func whoMayLookMayNotEnd() async throws {
        let control = try await start(changers: PeerRule(users: [], groups: [], own: nil))
        #expect(try ask(#"{"do":"sessions"}"#)["ok"]?.bool == true)
        let answer = try ask(#"{"do":"end","session":"3"}"#)
        #expect(answer["ok"]?.bool == false && answer["error"]?.text?.contains("may look and not end") == true)
        #expect(ended.all.isEmpty)
        await { @LoopActor in control.stop() }()
    }

    @Test(arguments: [
        ("sessions", "expected an object"), (#"{"do":"session"}"#, "\"do\" is one of: sessions, end"),
        (#"{"do":"sessions","all":true}"#, "no \"all\" is known here"), (#"{"do":"end"}"#, "needs \"session\""),
        (#"{"do":"end","session":"3","why":""}"#, "one line of 1 to 500 bytes"),
        (#"{"do":"end","session":"3","why":"a\nb"}"#, "one line of 1 to 500 bytes"),
        (#"{"do":"end","session":"3","why":"4111111111111111"}"#, "looks like a card number"),
    ]) func badRequestsAreSaid(_ line: String, _ words: String) async throws {
        let control = try await start()
        let answer = try ask(line)
        #expect(answer["ok"]?.bool == false && answer["error"]?.text?.contains(words) == true, "\(answer.written)")
        #expect(ended.all.isEmpty)
        await { @LoopActor in
            #expect(control.counts.isBalanced && control.counts.dropped["malformed"] == 1)
            control.stop()
        }()
    }
}
