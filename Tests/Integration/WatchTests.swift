import Foundation
import Lane
import Testing

extension Integration {
    /// Agent and view as processes of their own, an X server, a viewer with a real token: who watched stands in the audit, whatever is
    /// killed meanwhile.
    @Suite(.serialized) struct Watch {
        static let rules = """
            format: 1
            rules:
              - {id: refused, on: item.refused, same: code, severity: info, clear_when: staff.cleared, clear_after: 1h}
            """

        /// A viewer that comes in through the HTTPS port and stays: `viewer PORT TOKEN`, with a token as its password. It prints `in`
        /// once it was told the screen's size, `out` when it is ended; a line on its input presses a key.
        private static let viewer = #"""
            import os, select, socket, ssl, struct, sys
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
            line = context.wrap_socket(raw)
            line.sendall(b"GET /websockify HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Protocol: binary\r\n\r\n"
                % sys.argv[1].encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += line.recv(1)
            assert head.startswith(b"HTTP/1.1 101"), head
            kept = b""
            def take(count):
                global kept
                while len(kept) < count:
                    kept += frame()
                found, kept = kept[:count], kept[count:]
                return found
            def exact(count):
                found = b""
                while len(found) < count:
                    piece = line.recv(count - len(found))
                    if not piece:
                        print("out", flush=True)
                        os._exit(0)
                    found += piece
                return found
            def frame():
                first, length = exact(2)
                if length == 126:
                    length = struct.unpack(">H", exact(2))[0]
                elif length == 127:
                    length = struct.unpack(">Q", exact(8))[0]
                found = exact(length)
                if first & 15 == 8:
                    print("out", flush=True)
                    os._exit(0)
                return found
            def send(data):
                assert len(data) < 65536
                size = bytes([128 | len(data)]) if len(data) < 126 else bytes([254]) + struct.pack(">H", len(data))
                line.sendall(b"\x82" + size + b"\0\0\0\0" + data)
            take(12)
            send(b"RFB 003.008\n")
            kinds = take(take(1)[0])
            assert 19 in kinds, kinds
            send(b"\x13")
            take(2)
            send(b"\0\2")
            assert take(1) == b"\0"
            take(4 * take(1)[0])
            send(struct.pack(">I", 256))
            token = sys.argv[2].encode()
            send(struct.pack(">II", 0, len(token)) + token)
            result = take(4)
            if result != b"\0\0\0\0":
                print("refused: " + take(struct.unpack(">I", take(4))[0]).decode(), flush=True)
                sys.exit(1)
            send(b"\1")
            take(24)
            print("in", flush=True)
            send(struct.pack(">BBHi", 2, 0, 1, 16))
            while True:
                ready, _, _ = select.select([line, sys.stdin], [], [])
                if sys.stdin in ready:
                    if not sys.stdin.readline():
                        sys.exit(0)
                    send(struct.pack(">BBHI", 4, 1, 0, 0x61) + struct.pack(">BBHI", 4, 0, 0, 0x61))
                    print("pressed", flush=True)
                if line in ready:
                    frame()
            """#

        private final class Stand {
            let lane: LaneUnderTest
            private let server: Program
            private(set) var view: Program?
            private let key: String
            private let display: String
            let hookFile: String
            var socket: String { lane.folder.appending(path: "view.sock").path }

            init() throws {
                server = try Program(
                    "/usr/bin/Xvfb", ["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"])
                let number = try #require(server.awaitLine(seconds: 20) { Int($0) != nil }, "\(server.lines)").line
                display = ":\(number)"
                let folder = try Places.folder()
                key = folder.appending(path: "console.key").path
                let made = try Program.run(Places.lanewatch, ["view", "key", key])
                try #require(made.code == 0, "\(made.output)")
                #expect(made.output.contains("  token_keys: [\(key).pub]"))
                let status = try FileManager.default.attributesOfItem(atPath: key)
                #expect(status[.posixPermissions] as? Int == 0o600)
                hookFile = folder.appending(path: "hooks").path
                let hook = folder.appending(path: "hook").path
                try "#!/bin/sh\necho \"$LANEWATCH_EVENT $LANEWATCH_ATTENDANT $1\" >> \(hookFile)\n".write(
                    toFile: hook, atomically: true, encoding: .utf8)
                try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: hook)
                lane = try LaneUnderTest(
                    rules: Watch.rules,
                    extra: """
                        view:
                          display: ":\(number)"
                          rfb: false
                          https: 127.0.0.1:0
                          token_keys: [\(key).pub]
                          control: {path: view.sock}
                          close_grace: 1s
                          hooks: {open: [\(hook), "a b"], control: [\(hook)], close: [\(hook)]}
                        """)
            }

            deinit {
                view?.signal(SIGKILL)
                server.signal(SIGKILL)
            }

            private(set) var port = ""

            func startView() throws {
                let view = try Program(Places.lanewatch, ["view", "--config", lane.configurationPath])
                self.view = view
                let opened = view.awaitLine(seconds: 30) { $0.contains("the view is open") }
                let line = try #require(opened, "\(view.lines)").line
                let address = try #require(line.matches(of: #/127\.0\.0\.1:(\d+)/#).last)
                port = String(address.1)
            }

            func killView() throws {
                view?.signal(SIGKILL)
                try #require(view?.awaitEnd(seconds: 10) != nil)
            }

            /// A viewer, as soon as it is in.
            func join(_ attendant: String, _ more: String...) throws -> Program {
                let words = ["view", "token", "--key", key, "--config", lane.configurationPath, "-a", attendant] + more
                let token = try Program.run(Places.lanewatch, words).output[0]
                let viewer = try Program("/usr/bin/python3", ["-B", "-u", "-c", Watch.viewer, port, token])
                let said = viewer.awaitLine(seconds: 30) { $0 == "in" }
                try #require(said != nil, "\(viewer.lines) \(view?.lines.suffix(5) ?? [])")
                return viewer
            }

            /// Whether the lane's screen says that it is watched.
            func hasNotice() throws -> Bool {
                try Program.run("/usr/bin/xwininfo", ["-display", display, "-root", "-tree"]).output
                    .contains { $0.contains("\"Lanewatch notice\": (\"notice\" \"Lanewatch\")") }
            }

            func awaitNotice(_ isThere: Bool) throws {
                let end = Date(timeIntervalSinceNow: 20)
                while try hasNotice() != isThere, Date() < end { usleep(50_000) }
                #expect(try hasNotice() == isThere)
            }

            func view(_ words: String...) throws -> (code: Int32, output: [String]) {
                try Program.run(
                    Places.lanewatch, ["view"] + words, environment: ["NO_COLOR": "1", "TZ": "UTC"], seconds: 60)
            }

            /// The audit as its consumers have it: after kill -9 a message may be there twice, with its id.
            func audit() throws -> [Record] {
                var seen: Set<String> = []
                return try lane.records("sco.audit").filter { seen.insert($0.id).inserted }
            }

            /// The audit's facts about sessions, once there are so many.
            func facts(_ count: Int) throws -> [JSONValue] {
                let end = Date(timeIntervalSinceNow: 60)
                var found: [JSONValue] = []
                while Date() < end {
                    found = try audit().filter { $0["ce_type"].hasPrefix("sco.view.") }.compactMap(
                        \.value)
                    if found.count >= count { break }
                    usleep(200_000)
                }
                try #require(found.count == count, "\(found.map(\.written))")
                return found
            }
        }

        @Test func whoWatchesIsKnownWhateverIsKilled() throws {
            let stand = try Stand()
            try stand.lane.start()
            try stand.startView()
            #expect(try stand.view("sessions", "--control", stand.socket).output == ["lane 0042/L07: nobody watches"])

            // One comes, takes control, and is ended.
            try stand.awaitNotice(false)
            let anna = try stand.join("anna", "--mode", "control")
            anna.send("press")
            #expect(anna.awaitLine(seconds: 10) { $0 == "pressed" } != nil)
            _ = try stand.facts(2)
            try stand.awaitNotice(true)
            let (code, screen) = try stand.view("sessions", "--config", stand.lane.configurationPath)
            #expect(code == 0 && screen[0].hasPrefix("SESSION") && screen.last == "lane 0042/L07: 1 session")
            #expect(
                screen[1].contains("anna") && screen[1].contains("control, has it") && screen[1].contains("ZRLE, web"))
            let json = try JSONValue(
                parsing: try #require(try stand.view("sessions", "--json", "--control", stand.socket).output.first))
            #expect(json["inputs"]?.int == 2 && json["from"]?.text == "127.0.0.1" && json["encrypted"]?.bool == true)
            let id = try #require(json["session"]?.text)
            #expect(try stand.view("end", "nobody", "--control", stand.socket).code == 1)
            let ended = try stand.view("end", id, "--why", "shift's end", "--control", stand.socket)
            #expect(ended == (0, ["\(id) is ended"]))
            #expect(anna.awaitLine(seconds: 10) { $0 == "out" } != nil)
            try stand.awaitNotice(false)
            let first = try stand.facts(3)
            #expect(first.map { $0["session"]?.text } == [id, id, id])
            #expect(first[1]["control"]?.text == "taken" && first[2]["cause"]?.text == "ended")
            #expect(first[2]["why"]?.text == "shift's end" && first[2]["by"]?.int == Int64(getuid()))
            #expect(first[2]["inputs"]?.int == 2 && first[2]["uid"]?.int == Int64(getuid()))

            // One watches for an intervention, which is closed.
            _ = try stand.lane.send(#"{"type":"item.refused","code":"4","ack":true}"#)
            try stand.lane.awaitDrained(seconds: 15)
            let raised = try #require(try stand.lane.records("sco.interventions").first?.value?["intervention"]?.text)
            let bert = try stand.join("bert", "--intervention", raised)
            usleep(1_500_000)
            #expect(bert.lines == ["in"])
            _ = try stand.lane.send(#"{"type":"staff.cleared","ack":true}"#)
            #expect(bert.awaitLine(seconds: 20) { $0 == "out" } != nil)
            #expect(try stand.facts(5)[4]["cause"]?.text == "intervention_closed")

            // The agent dies; one comes all the same, and another stays while the view dies too.
            try stand.lane.kill()
            let cleo = try stand.join("cleo")
            let dora = try stand.join("dora")
            cleo.closeInput()
            #expect(cleo.awaitEnd(seconds: 10) == 0)
            let noted = stand.lane.folder.appending(path: "state/view/audit")
            let end = Date(timeIntervalSinceNow: 20)
            var isNoted = false
            while !isNoted, Date() < end {
                usleep(10_000)
                isNoted = try String(contentsOf: noted, encoding: .utf8).split(separator: "\n")
                    .contains { $0.contains("\"fact\":\"closed\"") && $0.contains("\"attendant\":\"cleo\"") }
            }
            #expect(isNoted)
            try stand.killView()
            #expect(dora.awaitEnd(seconds: 10) != nil)
            try stand.lane.start()
            try stand.startView()
            let last = try stand.facts(9).suffix(4)
            #expect(last.map { $0["attendant"]?.text } == ["cleo", "dora", "cleo", "dora"])
            #expect(last.map { $0["cause"]?.text } == [nil, nil, "closed", "killed"])
            #expect(last.last?["durationMs"] == .null)

            // Told once each: nothing more comes, and the chain is whole.
            stand.view?.signal(SIGTERM)
            #expect(stand.view?.awaitEnd(seconds: 10) == 0)
            try stand.lane.awaitDrained(seconds: 15)
            #expect(try stand.facts(9).count == 9)
            var previous = String(repeating: "0", count: 64)
            for record in try stand.audit() {
                #expect(record.value?["previous"]?.text == previous)
                previous = SHA256.hex(Array((record.value ?? .null).written.utf8))
            }
            let hooks = try String(contentsOfFile: stand.hookFile, encoding: .utf8).split(separator: "\n").map(
                String.init)
            #expect(hooks.prefix(3) == ["open anna a b", "control anna ", "close anna "])
        }

        @Test func aTokensMistakesAreSaid() throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let key = folder.appending(path: "a.key").path
            func run(_ words: String...) throws -> (code: Int32, output: [String]) {
                try Program.run(Places.lanewatch, ["view"] + words, environment: ["NO_COLOR": "1"])
            }
            let missing = try run("token", "-k", key, "-a", "anna", "-l", "1/2")
            #expect(missing.code == 1 && missing.output[0].contains("\"lanewatch view key FILE\" makes one"))
            #expect(try run("key", key).code == 0)
            let again = try run("key", key)
            #expect(again.code == 1 && again.output[0].contains("it is there already"))
            let tokens = try (0..<2).map { _ in try run("token", "-k", key, "-a", "anna", "-l", "1/2", "--for", "30s") }
            #expect(tokens.allSatisfy { $0.code == 0 && $0.output.count == 1 })
            #expect(tokens[0].output != tokens[1].output, "each may be used once")
            let long = try run("token", "-k", key, "-a", "anna", "-l", "1/2", "--for", "2h")
            #expect(long.code == 2 && long.output[0].contains("valid for 1s to 60s"))
            let wide = try run("token", "-k", key, "-a", String(repeating: "a", count: 65), "-l", "1/2")
            #expect(wide.code == 2 && wide.output[0].contains("--attendant is a text of 1 to 64 bytes"))
            let open = try run("token", "-k", key + ".pub", "-a", "anna", "-l", "1/2")
            #expect(open.code == 1)
            try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: key)
            let shared = try run("token", "-k", key, "-a", "anna", "-l", "1/2")
            #expect(shared.code == 1 && shared.output[0].contains("others can read"))
            let none = try run("sessions", "--control", folder.appending(path: "no.sock").path)
            #expect(none.code == 1 && none.output[0].contains("no view listens on"))
        }
    }
}
