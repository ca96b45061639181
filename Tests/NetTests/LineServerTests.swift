import CLinux
import Foundation
import Glibc
import Loop
import Testing

@testable import Net

/// A server of lines on a socket in a folder of its own. It answers a line with `<line>`.
private struct LineBed {
    let folder: String
    let path: String
    let server: LineServer

    init(_ change: @Sendable (inout LineServer.Options) -> Void = { _ in }) async throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "lines-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        path = folder + "/x.sock"
        var options = LineServer.Options(path: path)
        options.answersPerSecond = 100_000
        change(&options)
        let made = options
        server = try await Self.onLoop {
            let server = LineServer(made, refusal: { Array("no: \($0)".utf8) }) { line in
                let text = String(decoding: line, as: UTF8.self)
                // As an answer about thousands of rules.
                if text == "slow" { usleep(50_000) }
                return text == "large" ? [UInt8](repeating: 65, count: 4_000_000) : Array("<\(text)>".utf8)
            }
            try server.start()
            return server
        }
    }

    static func onLoop<T: Sendable>(_ body: @LoopActor @Sendable () throws -> T) async rethrows -> T {
        try await body()
    }

    func until(_ condition: @escaping @LoopActor @Sendable (LineServer) -> Bool) async -> Bool {
        let server = server
        for _ in 0..<4000 {
            if await Self.onLoop({ condition(server) }) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Stops the server; every connection and line is accounted for.
    func stop() async -> (lines: LineServer.Counts, peers: LineServer.Counts) {
        let server = server
        let counts = await Self.onLoop {
            server.stop()
            #expect(server.open == 0)
            return (server.lines, server.peers)
        }
        for count in [counts.0, counts.1] { #expect(count.in == count.out + count.dropped.values.reduce(0, +)) }
        #expect(access(path, F_OK) != 0)
        rmdir(folder)
        return counts
    }
}

/// A plain blocking peer; reads give up after a minute.
private final class LinePeer: @unchecked Sendable {
    // @unchecked: each test uses its peer from one task at a time.
    let descriptor: Int32
    private var pending: [UInt8] = []

    init(_ path: String) throws {
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard let address = UnixAddress(path), address.connect(descriptor) == 0 else { throw SystemError("connect") }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { _ = Glibc.close(descriptor) }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// The next line; nil at the end.
    func line() -> String? {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end = pending.firstIndex(of: 0x0A) {
                defer { pending.removeFirst(end + 1) }
                return String(decoding: pending[..<end], as: UTF8.self)
            }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { return nil }
            pending.append(contentsOf: chunk[..<count])
        }
    }
}

@Suite struct LineServerTests {
    @Test func linesAreAnsweredInOrderAndFaultyOnesToo() async throws {
        let bed = try await LineBed { $0.lineBytes = 10 }
        let peer = try LinePeer(bed.path)
        peer.send("a\nb")
        #expect(peer.line() == "<a>")
        peer.send("c\n\n  \n")
        #expect(peer.line() == "<bc>")
        peer.send("01234567890\nd\n")
        #expect(peer.line() == "no: the line is longer than 10 bytes")
        #expect(peer.line() == "<d>")
        peer.send("half")
        shutdown(peer.descriptor, Int32(SHUT_WR))
        #expect(peer.line() == "no: the line has no end: a line feed was expected")
        #expect(peer.line() == nil)
        let counts = await bed.stop()
        #expect(counts.lines.out == 3 && counts.lines.dropped == ["oversized": 1, "incomplete": 1])
        #expect(counts.peers.out == 1)
    }

    /// A peer that asks and never reads holds one answer, and delays nobody.
    @Test func whoDoesNotReadIsNotReadFrom() async throws {
        let bed = try await LineBed { $0.idleSeconds = 1 }
        let greedy = try LinePeer(bed.path)
        for _ in 0..<50 { greedy.send("large\n") }
        #expect(await bed.until { $0.lines.in >= 1 })
        let other = try LinePeer(bed.path)
        other.send("x\n")
        #expect(other.line() == "<x>")
        let server = bed.server
        #expect(await LineBed.onLoop { server.lines.in } == 2)
        #expect(await bed.until { $0.peers.dropped["idle"] ?? 0 >= 1 })
        _ = await bed.stop()
    }

    @Test func whoReadsLateGetsEveryAnswer() async throws {
        let bed = try await LineBed()
        let peer = try LinePeer(bed.path)
        for _ in 0..<5 { peer.send("large\n") }
        peer.send("end\n")
        for _ in 0..<5 { #expect(peer.line()?.utf8.count == 4_000_000) }
        #expect(peer.line() == "<end>")
        _ = await bed.stop()
    }

    @Test func strangersAndTooManyAreToldAndClosed() async throws {
        let closed = try await LineBed { $0.peers = PeerRule(users: [4_000_000], groups: [], own: nil) }
        let stranger = try LinePeer(closed.path)
        #expect(stranger.line()?.hasPrefix("no: user \(geteuid()) may not ask here") == true)
        #expect(stranger.line() == nil)
        #expect(await closed.stop().peers.dropped == ["peer": 1])

        let bed = try await LineBed { $0.connections = 2 }
        let peers = try [LinePeer(bed.path), LinePeer(bed.path)]
        for peer in peers {
            peer.send("x\n")
            #expect(peer.line() == "<x>")
        }
        let third = try LinePeer(bed.path)
        #expect(third.line() == "no: 2 connections are open, and no more are taken")
        let counts = await bed.stop()
        #expect(counts.peers.dropped == ["limit": 1, "stopped": 2])
    }

    @Test func thoseWhoAskTooMuchWait() async throws {
        let bed = try await LineBed { $0.answersPerSecond = 20 }
        let peer = try LinePeer(bed.path)
        let begin = Boottime.milliseconds()
        for number in 0..<30 { peer.send("\(number)\n") }
        for number in 0..<30 { #expect(peer.line() == "<\(number)>") }
        // Twenty at once, ten at twenty a second.
        #expect(Boottime.milliseconds() - begin >= 400)
        _ = await bed.stop()
    }

    /// Fifty milliseconds of the lane's thread are a tenth of half a second.
    @Test func answersThatTakeLongAreFewer() async throws {
        let bed = try await LineBed { $0.answersPerSecond = 20 }
        let peer = try LinePeer(bed.path)
        let begin = Boottime.milliseconds()
        for _ in 0..<5 { peer.send("slow\n") }
        for _ in 0..<5 { #expect(peer.line() == "<slow>") }
        // Two at once, then one in half a second.
        #expect(Boottime.milliseconds() - begin >= 1200)
        _ = await bed.stop()
    }

    @Test func theFileHasItsModeAndAnotherServerIsRefused() async throws {
        let bed = try await LineBed { $0.mode = 0o620 }
        var status = stat()
        #expect(lstat(bed.path, &status) == 0 && status.st_mode & 0o7777 == 0o620)
        let path = bed.path
        await #expect(throws: UnixSocketError.self) {
            try await LineBed.onLoop {
                let second = LineServer(LineServer.Options(path: path), refusal: { Array($0.utf8) }) { Array($0) }
                try second.start()
            }
        }
        _ = await bed.stop()
    }

    @Test func theClientSaysWhatIsWrong() async throws {
        let bed = try await LineBed()
        let path = bed.path
        let answer = try await Task.detached {
            var client = try LineClient(path: path)
            return try client.exchange(Array("hello".utf8))
        }.value
        #expect(String(decoding: answer, as: UTF8.self) == "<hello>")
        _ = await bed.stop()
        let error = #expect(throws: LineClientError.self) { _ = try LineClient(path: path) }
        #expect(error?.code == .noAgent)
    }
}
