import CLinux
import Foundation
import Glibc
import Loop
import Testing

@testable import Net

/// A server on a port of its own.
struct ServerBed {
    let server: HTTPServer
    let port: UInt16

    init(_ change: (inout HTTPServer.Options) -> Void = { _ in }) async throws {
        let address = try #require(ListenAddress("127.0.0.1:0"))
        var options = HTTPServer.Options(addresses: [address])
        options.requestsPerSecond = 100_000
        change(&options)
        let server = HTTPServer(options) { request in
            switch request.path {
            case "/metrics": return HTTPResponse(body: Array("up 1\n".utf8))
            case "/large": return HTTPResponse(body: [UInt8](repeating: 65, count: 8_000_000))
            default: return HTTPResponse(HTTPFault(404, "there is /metrics"))
            }
        }
        self.server = server
        port = try await Self.onLoop {
            try server.start()
            return server.addresses.first?.port ?? 0
        }
    }

    static func onLoop<T: Sendable>(_ body: @LoopActor @Sendable () throws -> T) async rethrows -> T {
        try await body()
    }

    func counts() async -> HTTPServer.Counts {
        let server = server
        return await Self.onLoop { server.counts }
    }

    func until(_ condition: @Sendable (HTTPServer.Counts) -> Bool) async -> Bool {
        for _ in 0..<2000 {
            if condition(await counts()) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }

    /// Stops the server; connections are then all closed.
    func stop() async {
        let server = server
        await Self.onLoop { server.stop() }
        let counts = await counts()
        #expect(counts.open == 0 && counts.connections == counts.closed)
    }
}

/// A blocking TCP client; reads give up after ten seconds.
final class Client: @unchecked Sendable {
    // @unchecked: each test uses its client from one task at a time.
    let descriptor: Int32

    init(_ port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect") }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { _ = Glibc.close(descriptor) }

    @discardableResult func send(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            == bytes.count
    }

    /// Reads until `end` has been seen or the server closes.
    func read(until end: String? = nil) -> String {
        var text: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let end, String(decoding: text, as: UTF8.self).hasSuffix(end) { break }
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count <= 0 { break }
            text.append(contentsOf: chunk[..<count])
        }
        return String(decoding: text, as: UTF8.self)
    }
}

@Suite struct HTTPServerTests {
    private static func curl(_ arguments: [String]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        process.arguments = ["-sS", "-g", "--noproxy", "*", "--max-time", "10"] + arguments
        let out = Pipe()
        process.standardOutput = out
        process.standardError = out
        try process.run()
        let text = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }

    @Test func curlIsAnswered() async throws {
        let bed = try await ServerBed()
        let url = "http://127.0.0.1:\(bed.port)"
        #expect(try Self.curl([url + "/metrics"]) == "up 1\n")
        #expect(
            try Self.curl(["-w", "%{http_code} %{num_connects}\n", url + "/metrics", url + "/metrics"])
                == "up 1\n200 1\nup 1\n200 0\n")
        #expect(try Self.curl(["--http1.0", "-w", "%{http_code}", url + "/nothing"]) == "there is /metrics\n404")
        let head = try Self.curl(["-I", url + "/large"])
        #expect(head.hasPrefix("HTTP/1.1 200 OK\r\ndate: "))
        #expect(head.contains("\r\ncontent-length: 8000000\r\n"))
        #expect(try Self.curl(["-o", "/dev/null", "-w", "%{size_download}", url + "/large"]) == "8000000")
        #expect(try Self.curl(["-d", "x=1", "-w", "%{http_code}", url + "/metrics"]).hasSuffix("405"))
        #expect(try Self.curl(["-X", "GET", "-d", "x=1", url + "/metrics"]) == "up 1\n")
        let large = String(repeating: "x", count: 100_000)
        #expect(try Self.curl(["-X", "GET", "-d", large, "-w", "%{http_code}", url + "/metrics"]).hasSuffix("413"))
        #expect(
            try Self.curl(["-H", "X: \(large.prefix(9000))", "-w", "%{http_code}", url + "/metrics"]).hasSuffix("431"))
        await bed.stop()
    }

    @Test(.enabled(if: access("/proc/net/if_inet6", R_OK) == 0)) func curlIsAnsweredOverIPv6() async throws {
        let six = try #require(ListenAddress("[::1]:0"))
        let bed = try await ServerBed { $0.addresses.append(six) }
        let server = bed.server
        let address = try #require(await ServerBed.onLoop { server.addresses.last })
        #expect(try Self.curl(["http://\(address)/metrics"]) == "up 1\n")
        await bed.stop()
    }

    @Test func aPortThatIsTakenIsExplained() async throws {
        let bed = try await ServerBed()
        let taken = try #require(ListenAddress("127.0.0.1:\(bed.port)"))
        let free = try #require(ListenAddress("127.0.0.1:0"))
        let second = HTTPServer(HTTPServer.Options(addresses: [free, taken])) { _ in HTTPResponse(body: []) }
        var message = ""
        do { try await ServerBed.onLoop { try second.start() } } catch { message = "\(error)" }
        #expect(message == "cannot listen on \(taken): Address already in use; choose another address or port")
        #expect(await ServerBed.onLoop { second.addresses } == [])
        await bed.stop()
    }

    @Test func requestsInPiecesAndInOneGoAreAnsweredInOrder() async throws {
        let bed = try await ServerBed()
        let client = try Client(bed.port)
        for piece in ["GE", "T /metr", "ics HTTP/1.1\r", "\nHost: a\r\n", "\r", "\n"] {
            client.send(piece)
            try await Task.sleep(for: .milliseconds(2))
        }
        #expect(client.read(until: "up 1\n").hasSuffix("connection: keep-alive\r\n\r\nup 1\n"))
        let many = (0..<300).map { "GET /\($0 % 2 == 0 ? "metrics" : "nothing") HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
        client.send(many + "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        let statuses = client.read().components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
        #expect(statuses == (0...300).map { $0 % 2 == 0 ? "200" : "404" })
        await bed.stop()
    }

    @Test func aRefusalReachesAClientThatIsStillSending() async throws {
        let bed = try await ServerBed()
        let client = try Client(bed.port)
        client.send(
            "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + String(repeating: "x", count: 30_000)
        )
        let answer = client.read()
        #expect(answer.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
        #expect(answer.contains("\r\nallow: GET, HEAD\r\n"))
        #expect(answer.contains("\r\nconnection: close\r\n"))
        #expect(await bed.until { $0.open == 0 })
        await bed.stop()
    }

    @Test func halfOpenClientsAreAnsweredAndForgotten() async throws {
        let bed = try await ServerBed()
        let client = try Client(bed.port)
        client.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        shutdown(client.descriptor, Int32(SHUT_WR))
        #expect(client.read().hasSuffix("up 1\n"))
        #expect(await bed.until { $0.open == 0 })
        await bed.stop()
    }

    @Test func silentAndSlowClientsAreClosedAtTheirDeadlines() async throws {
        let bed = try await ServerBed {
            $0.idleSeconds = 0.2
            $0.requestSeconds = 0.3
        }
        let silent = try Client(bed.port)
        let slow = try Client(bed.port)
        // One byte after the other would keep an idle limit alive for ever; the limit of a request is for the whole.
        let sender = Task {
            for byte in "GET /metrics HTTP/1.1\r\nHost: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" {
                guard slow.send(String(byte)) else { break }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        #expect(silent.read() == "")
        #expect(slow.read() == "")
        try await sender.value
        // One that does not read a large answer.
        let deaf = try Client(bed.port, receiveBuffer: 4096)
        deaf.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(await bed.until { $0.expired == 3 && $0.open == 0 })
        await bed.stop()
    }

    @Test func twoHundredSilentClientsKeepNobodyOut() async throws {
        let bed = try await ServerBed { $0.connections = 20 }
        var silent: [Client] = []
        for place in 0..<200 {
            let client = try Client(bed.port)
            if place % 2 == 0 { client.send("GET /metrics HT") }
            silent.append(client)
        }
        let good = try Client(bed.port)
        good.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(good.read(until: "up 1\n").hasPrefix("HTTP/1.1 200 OK"))
        let counts = await bed.counts()
        #expect(counts.connections == 201 && counts.open == 20 && counts.evicted == 181)
        await bed.stop()
    }

    @Test func whenAllAreBusyANewcomerIsTold() async throws {
        let bed = try await ServerBed { $0.connections = 2 }
        let busy = try (0..<2).map { _ in
            let client = try Client(bed.port, receiveBuffer: 4096)
            client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            return client
        }
        #expect(await bed.until { $0.requests == 2 })
        let late = try Client(bed.port)
        #expect(late.read().hasPrefix("HTTP/1.1 503 Service Unavailable"))
        #expect(busy.count == 2)
        await bed.stop()
    }

    @Test func tooManyRequestsASecondAreTold() async throws {
        let bed = try await ServerBed { $0.requestsPerSecond = 5 }
        let client = try Client(bed.port)
        client.send(String(repeating: "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", count: 100))
        let answers = client.read().components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
        #expect(answers == ["200", "200", "200", "200", "200", "429"])
        await bed.stop()
    }

    @Test func datesAreThoseOfTheRFC() {
        #expect(HTTPResponse.date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(HTTPResponse.date(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
    }
}
