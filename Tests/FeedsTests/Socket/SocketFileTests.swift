import CLinux
import Feeds
import Foundation
import Glibc
import Lane
import Loop
import Testing

@Suite struct SocketFileTests {
    private func status(_ path: String) -> stat? {
        var status = stat()
        return lstat(path, &status) == 0 ? status : nil
    }

    private func fault(_ path: String, _ sink: SocketSink = SocketSink()) async -> FeedError? {
        let feed = SocketFeed(SocketOptions(path: path))
        do {
            try await SocketBed.onLoop { try feed.start(sink) }
            return nil
        } catch { return error as? FeedError }
    }

    @Test func theSocketHasItsModeAndGroupAndGoesWithTheFeed() async throws {
        let bed = try await SocketBed {
            $0.mode = 0o620
            $0.group = getegid()
        }
        let found = try #require(status(bed.path))
        #expect(found.st_mode & 0o7777 == 0o620)
        #expect(found.st_gid == getegid())
        let path = bed.path
        await bed.stop()
        #expect(status(path) == nil)
    }

    @Test func theSocketOfADeadAgentIsReplacedAndThatOfALivingOneIsNot() async throws {
        let bed = try await SocketBed()
        let second = await fault(bed.path)
        #expect(second?.description.hasPrefix("another agent listens on \(bed.path)") == true)
        // A dead agent leaves its file: bound, and nobody listens.
        let dead = bed.folder + "/dead.sock"
        let leftover = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(dead.utf8)) }
        _ = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(leftover, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        close(leftover)
        #expect(status(dead) != nil)
        let sink = SocketSink()
        let feed = SocketFeed(SocketOptions(path: dead))
        try await SocketBed.onLoop { try feed.start(sink) }
        let peer = try RawPeer(dead)
        peer.send("{\"type\":\"heartbeat\",\"ack\":true}\n")
        #expect(peer.line() == #"{"ok":true,"seq":1}"#)
        await SocketBed.onLoop { feed.stop() }
        await bed.stop()
    }

    @Test func whatIsNoSocketIsNeverRemoved() async throws {
        let bed = try await SocketBed()
        let file = bed.folder + "/file"
        try Data("mine".utf8).write(to: URL(fileURLWithPath: file))
        #expect(
            await fault(file)?.description == "\(file) is there and is no socket; remove it, or choose another path")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "mine")
        // A file that has taken the socket's place stays when the feed goes.
        unlink(bed.path)
        try Data("mine".utf8).write(to: URL(fileURLWithPath: bed.path))
        let feed = bed.feed
        await SocketBed.onLoop { feed.stop() }
        #expect(try String(contentsOfFile: bed.path, encoding: .utf8) == "mine")
        try FileManager.default.removeItem(atPath: bed.folder)
    }

    @Test func aPathThatCannotBeIsExplained() async {
        #expect(
            await fault("/nowhere/at/all/pos.sock")?.description.contains("folder /nowhere/at/all cannot be used")
                == true)
        #expect(
            await fault("/etc/hostname/pos.sock")?.description.contains("folder /etc/hostname is no folder") == true)
        let long = "/tmp/" + String(repeating: "x", count: 103)
        #expect(await fault(long)?.description.contains("longer than 107 bytes") == true)
        #expect(await fault("")?.isRetriable == false)
    }

    /// Only root can become somebody else.
    @Test(.enabled(if: geteuid() == 0 && access("/usr/bin/setpriv", X_OK) == 0))
    func aStrangerIsToldAndClosed() async throws {
        let bed = try await SocketBed {
            $0.mode = 0o666
            $0.groups = [12_345]
            $0.users = [54_321]
        }
        chmod(bed.folder, 0o755)
        func say(_ user: String, _ group: String) throws -> String {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
            process.arguments = [
                "--reuid", user, "--regid", group, "--clear-groups", "/usr/bin/python3", "-c",
                """
                import socket, sys
                s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])
                try: s.sendall(b'{"type":"heartbeat","ack":true}\\n')
                except BrokenPipeError: pass
                print(s.makefile().readline(), end="")
                """, bed.path,
            ]
            let out = Pipe()
            process.standardOutput = out
            try process.run()
            let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return text
        }
        let answer =
            "{\"ok\":false,\"error\":\"user 65534 may not write here; name the user or one of its groups in the configuration\"}\n"
        #expect(try say("65534", "65534") == answer)
        #expect(try say("65534", "12345").hasPrefix("{\"ok\":true"))
        #expect(try say("54321", "65534").hasPrefix("{\"ok\":true"))
        let counts = await bed.stop()
        #expect(counts.connections.dropped["peer"] == 1)
        #expect(counts.lines.out == 2)
        #expect(counts.connections.isBalanced)
    }

    @Test func theClientSendsAndIsAnswered() async throws {
        let bed = try await SocketBed()
        let type = try #require(SignalType("payment.started"))
        let pay = try #require(AttributeName("pay"))
        let amount = try #require(AttributeName("amount"))
        var client = try SignalClient(path: bed.path)
        let line = SignalClient.line(type, [Attribute(pay, .text("P\"1")), Attribute(amount, .int(-5))])
        #expect(try client.send(line).number == 1)
        let answer = try client.send(Array(#"{"type":"payment.startd","ack":true}"#.utf8))
        #expect(answer.number == nil)
        #expect(answer.error == #"no signal "payment.startd"; did you mean "payment.started"?"#)
        #expect(answer.column == 10)
        #expect(try client.send(Array(#"{"type":"heartbeat","x":1,"ack":true}"#.utf8)).ignored == ["x"])
        let sink = bed.sink
        #expect(await SocketBed.onLoop { sink.signals.first?[pay] } == .text("P\"1"))
        await bed.stop()
        let code: SignalClientError.Code?
        do throws(SignalClientError) {
            _ = try client.send(line)
            code = nil
        } catch { code = error.code }
        #expect(code == .closed)
    }

    @Test func theClientSaysWhyItCannot() async throws {
        func fault(_ path: String) -> SignalClientError? {
            do throws(SignalClientError) {
                _ = try SignalClient(path: path)
                return nil
            } catch { return error }
        }
        #expect(fault("/nowhere/pos.sock")?.code == .noAgent)
        #expect(
            fault("/nowhere/pos.sock")?.description.hasPrefix("no agent listens on /nowhere/pos.sock; start it") == true
        )
        #expect(fault(String(repeating: "x", count: 200))?.code == .unusable)
        let bed = try await SocketBed()
        let sink = bed.sink
        await SocketBed.onLoop { sink.isDurable = false }
        var client = try SignalClient(path: bed.path)
        let code: SignalClientError.Code?
        do throws(SignalClientError) {
            _ = try client.send(Array(#"{"type":"heartbeat","ack":true}"#.utf8), timeout: .milliseconds(50))
            code = nil
        } catch { code = error.code }
        #expect(code == .timeout)
        await bed.stop()
    }
}
