import Foundation
import KafkaBed
import Loop
import Testing

@testable import Kafka

/// Each way in which a link does not come about, on real sockets: librdkafka must say what `LinkFault` understands, whichever
/// version it is.
@Suite(.serialized, .timeLimit(.minutes(5))) @LoopActor struct LinkSocketTests {
    @LoopActor private final class Faults {
        var found: [LinkFault] = []
        /// Everything that was said, for a failure's message.
        var said: [String] = []
    }

    /// The first fault of `cause` within 30 s; else all that came is in the failure.
    private func expect(
        _ cause: LinkFault.Cause, at address: String, _ settings: [(String, String)] = [],
        _ place: SourceLocation = #_sourceLocation
    ) async throws {
        var configuration = safe(address)
        configuration.settings += settings.map { .init($0.0, $0.1) }
        configuration.settings += [
            .init("socket.connection.setup.timeout.ms", "3000"), .init("api.version.request.timeout.ms", "3000"),
        ]
        let faults = Faults()
        let producer = try Producer(configuration) { event in
            faults.said.append("\(event)")
            switch event {
            case .error(let error):
                if !error.isAllBrokersDown, let fault = LinkFault(error) { faults.found.append(fault) }
            case .log(_, let facility, let text):
                if let fault = LinkFault(facility: facility, text: text) { faults.found.append(fault) }
            default: break
            }
        }
        let end = Boottime.milliseconds() + 30_000
        while !faults.found.contains(where: { $0.cause == cause }), Boottime.milliseconds() < end {
            await withCheckedContinuation { done in
                EventLoop.shared.schedule(inMilliseconds: 10) { done.resume() }
            }
        }
        let match = faults.found.first { $0.cause == cause }
        #expect(match != nil, "\(faults.said)", sourceLocation: place)
        if let match { #expect(match.broker == address, sourceLocation: place) }
        producer.close()
        await producer.ended()
    }

    @Test func nobodyListens() async throws {
        let port = try Peer(.closes).port  // Gone with the value.
        try await expect(.refused, at: "127.0.0.1:\(port)")
    }

    @Test func aNameWithoutAnAddress() async throws {
        try await expect(.unresolved, at: "no-such-host.invalid:9092")
    }

    @Test func aHostThatTakesNoConnection() async throws {
        let peer = try Peer(.full)
        try await expect(.silent, at: peer.address)
    }

    @Test func aHostThatSaysNothing() async throws {
        let peer = try Peer(.silent)
        try await expect(.silent, at: peer.address)
        try await expect(.silent, at: peer.address, [("security.protocol", "ssl")])
    }

    @Test func somethingElseThanKafka() async throws {
        let peer = try Peer(.greets("SSH-2.0-OpenSSH_9.2\r\n"))
        try await expect(.notKafka, at: peer.address)
        try await expect(.tlsUnknown, at: peer.address, [("security.protocol", "ssl")])
    }

    @Test func certificatesAndProtocols() async throws {
        let folder = NSTemporaryDirectory() + "lanewatch-link-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let certificates = try Certificates(in: folder)
        try certificates.authority("other")
        try certificates.make("good")
        try certificates.make("old", days: -1)
        try certificates.make("elsewhere", hosts: "DNS:elsewhere.example")
        try certificates.make("foreign", of: "other")
        let tls = [("security.protocol", "ssl"), ("ssl.ca.location", certificates.path("ca.pem"))]

        let good = try TLSPeer(certificates, "good")
        try await expect(.untrusted, at: good.address, [tls[0], ("ssl.ca.location", certificates.path("other.pem"))])
        try await expect(.tlsWanted, at: good.address)
        let old = try TLSPeer(certificates, "old")
        try await expect(.expired, at: old.address, tls)
        let elsewhere = try TLSPeer(certificates, "elsewhere")
        try await expect(.otherHost, at: elsewhere.address, tls)
        let strict = try TLSPeer(
            certificates, "good", ["-CAfile", certificates.path("ca.pem"), "-Verify", "1", "-verify_return_error"])
        try await expect(.clientCertificate, at: strict.address, tls)
        try await expect(
            .clientCertificate, at: strict.address,
            tls + [
                ("ssl.certificate.location", certificates.path("foreign.pem")),
                ("ssl.key.location", certificates.path("foreign.key")),
            ])
    }
}

/// Somebody who listens on loopback and is no broker. Ends with the value.
private final class Peer: Sendable {
    enum Manner: Sendable {
        /// Takes connections and ends them.
        case closes
        /// Takes connections and says nothing.
        case silent
        case greets(String)
        /// Its queue is full: the kernel drops whoever knocks.
        case full
    }

    let port: Int
    private let listening: Int32
    private let knocking: [Int32]

    var address: String { "127.0.0.1:\(port)" }

    init(_ manner: Manner) throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isFull = if case .full = manner { true } else { false }
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(raw, pointer, length) == 0 && listen(raw, isFull ? 0 : 64) == 0
                    && getsockname(raw, pointer, &length) == 0
            }
        }
        guard code else { throw SystemError("bind") }
        listening = raw
        port = Int(UInt16(bigEndian: address.sin_port))
        var knocking: [Int32] = []
        if isFull {
            for _ in 0..<8 {
                let one = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
                withUnsafePointer(to: address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(one, $0, length) }
                }
                knocking.append(one)
            }
        }
        self.knocking = knocking
        guard !isFull else { return }
        Thread.detachNewThread {
            var held: [Int32] = []
            while case let one = accept(raw, nil, nil), one >= 0 {
                switch manner {
                case .silent: held.append(one)
                case .greets(let text):
                    _ = text.withCString { send(one, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
                    held.append(one)
                case .closes, .full: close(one)
                }
            }
            for one in held { close(one) }
            // Here, not in the deinit: its number may be another listener's before this thread has woken.
            close(raw)
        }
    }

    deinit {
        // Wakes the thread out of accept, which then closes it.
        shutdown(listening, Int32(SHUT_RDWR))
        if !knocking.isEmpty { close(listening) }
        for one in knocking { close(one) }
    }
}

/// `openssl s_server` with a certificate. Ends with the value.
private final class TLSPeer: @unchecked Sendable {
    // @unchecked: nothing is changed after the making; Foundation's process is thread-safe.
    let port: Int
    private let process = Process()

    var address: String { "127.0.0.1:\(port)" }

    /// A child inherits the signals that are blocked in this process's threads: SIGTERM would not end it.
    init(_ certificates: Certificates, _ name: String, _ more: [String] = []) throws {
        port = try Peer(.closes).port
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments =
            [
                "openssl", "s_server", "-quiet", "-accept", "127.0.0.1:\(port)", "-cert",
                certificates.path("\(name).pem"), "-key", certificates.path("\(name).key"),
            ] + more
        process.standardInput = Pipe()
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<2000 where !isListening() { usleep(5000) }
    }

    private func isListening() -> Bool {
        // `String(contentsOfFile:)` stops where the kernel gives less than a page.
        let table = String(
            decoding: (try? FileHandle(forReadingAtPath: "/proc/net/tcp")?.readToEnd()) ?? Data(), as: UTF8.self)
        return table.contains(String(format: "0100007F:%04X 00000000:0000 0A", port))
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
    }
}
