import CLinux
import COpenSSL
import Foundation
import Glibc
import Loop
import Testing

@testable import Net

/// A folder that goes with the test.
final class TLSFolder {
    let path: String
    init() throws {
        var template = Array("/tmp/lanewatch-tls-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite struct TLSServerTests {
    /// A program's output and code.
    private func run(_ words: [String]) throws -> (text: String, code: Int32) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (String(decoding: bytes, as: UTF8.self), process.terminationStatus)
    }

    @Test func aSelfMadeCertificateIsWhatTheOpenSSLProgramExpects() throws {
        let folder = try TLSFolder()
        let path = "\(folder.path)/gate.pem"
        let (files, isNew) = try CertificateFiles.openOrMake(
            path, names: ["lane-07.example", "10.0.0.7", "x,DNS:evil"])
        #expect(isNew)
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let shown = try run(["openssl", "x509", "-in", path, "-noout", "-text", "-fingerprint", "-sha256"]).text
        #expect(shown.contains("sha256 Fingerprint=\(files.context.fingerprint)"))
        #expect(shown.contains("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:lane-07.example"))
        #expect(shown.contains("IP Address:10.0.0.7") && !shown.contains("evil"))
        #expect(shown.contains("prime256v1") && shown.contains("CA:FALSE") && shown.contains("Version: 3"))
        #expect(shown.contains("Subject: CN = lane-07.example"))
        // It is trusted where somebody says so.
        let verified = try run(["openssl", "verify", "-CAfile", path, "-verify_hostname", "lane-07.example", path])
        #expect(verified.code == 0, "\(verified.text)")
        // The second start finds it.
        let (again, isNewAgain) = try CertificateFiles.openOrMake(path, names: ["lane-07.example"])
        #expect(!isNewAgain && again.context.fingerprint == files.context.fingerprint)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["gate.pem"])
    }

    @Test func aSelfMadeCertificateThatEndsSoonIsMadeAnewAndOthersAreNot() throws {
        let folder = try TLSFolder()
        let path = "\(folder.path)/gate.pem"
        let (files, _) = try CertificateFiles.openOrMake(path, names: [])
        let ends = files.context.certificate.notAfter
        #expect(abs(ends - (Boottime.wallMilliseconds() / 1000 + 820 * 86_400)) < 3700)
        let late = try CertificateFiles.openOrMake(path, names: [], wallSeconds: ends - 29 * 86_400)
        #expect(late.isNew && late.files.context.fingerprint != files.context.fingerprint)
        // One that an authority gave.
        let made = try run([
            "sh", "-ec",
            """
            cd \(folder.path)
            openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=ca -days 2
            openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout own.key -out own.csr -subj /CN=lane
            openssl x509 -req -in own.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 1 -out own.crt
            cat own.key own.crt ca.crt >own.pem
            """,
        ])
        #expect(made.code == 0, "\(made.text)")
        #expect(!(try CertificateFiles.openOrMake("\(folder.path)/own.pem", names: []).isNew))
    }

    @Test func filesThatChangeAreTakenOverAndWrongOnesAreNot() throws {
        let folder = try TLSFolder()
        let path = "\(folder.path)/gate.pem"
        try PrivateFile.write(try SelfMadeIdentity.make(names: ["a"]), to: path)
        var files = try CertificateFiles(certificate: path, key: path, now: 0)
        let first = files.current(now: 10)
        try PrivateFile.write(try SelfMadeIdentity.make(names: ["b"]), to: path)
        // Looked at once in a second.
        #expect(files.current(now: 999).fingerprint == first.fingerprint)
        let second = files.current(now: 1000)
        #expect(second.fingerprint != first.fingerprint && files.reloads == 1 && files.fault == nil)
        #expect(second.certificate.subject == "/CN=b")
        try PrivateFile.write(Array("no certificate\n".utf8), to: path)
        #expect(files.current(now: 2000).fingerprint == second.fingerprint && files.refusals == 1)
        #expect(files.fault?.description.contains(path) == true)
        _ = files.current(now: 3000)
        #expect(files.refusals == 1, "a wrong file is told once")
        unlink(path)
        #expect(files.current(now: 4000).fingerprint == second.fingerprint && files.refusals == 2)
        // A key that is another certificate's.
        let other = "\(folder.path)/other.pem"
        try PrivateFile.write(try SelfMadeIdentity.make(names: ["c"]), to: path)
        try PrivateFile.write(try SelfMadeIdentity.make(names: ["d"]), to: other)
        let wrong = #expect(throws: TLSFault.self) { try CertificateFiles(certificate: path, key: other) }
        #expect(wrong?.description.contains("the key is not the certificate's") == true)
        #expect(throws: TLSFault.self) { try CertificateFiles(certificate: "\(folder.path)/none", key: other) }
    }

    /// Both sides in one thread over a pair: handshake, bytes of all sizes, goodbye.
    @Test(arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func bytesGoToAndFro(version: Int32) throws {
        let context = try Self.context()
        let pair = try Self.pair()
        let server = try #require(TLSSession(context, descriptor: pair.0.raw))
        let client = try TLSPeer(pair.1.raw, version: version)
        var isReady = false
        for _ in 0..<100 where !isReady {
            let theirs = SSL_do_handshake(client.session)
            isReady = server.handshake() == .done(0) && theirs == 1
        }
        #expect(
            isReady && server.isEstablished && server.version == (version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3"))
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var (sent, received) = (0, [UInt8]())
        var room = [UInt8](repeating: 0, count: 40_000)
        while received.count < bytes.count {
            if sent < bytes.count {
                switch bytes[sent...].withUnsafeBytes({ server.write($0) }) {
                case .done(let count): sent += count
                case .wantsWrite: break
                case let other: Issue.record("\(other)")
                }
            }
            var count = 0
            if SSL_read_ex(client.session, &room, room.count, &count) == 1 { received += room[..<count] }
        }
        #expect(received == bytes && server.sentBytes > UInt64(bytes.count))
        // The other way, with a room that is smaller than a record.
        #expect(SSL_write(client.session, Array(bytes.prefix(10_000)), 10_000) == 10_000)
        var found: [UInt8] = []
        while found.count < 10_000 {
            let step = room.withUnsafeMutableBytes {
                server.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[..<3000]))
            }
            guard case .done(let count) = step else {
                Issue.record("\(step)")
                break
            }
            found += room[..<count]
            if found.count < 10_000 { #expect(server.readableBytes > 0) }
        }
        #expect(found == Array(bytes.prefix(10_000)) && server.readableBytes == 0)
        #expect(room.withUnsafeMutableBytes { server.read(into: $0) } == .wantsRead)
        SSL_shutdown(client.session)
        #expect(room.withUnsafeMutableBytes { server.read(into: $0) } == .closed)
        server.sayGoodbye()
    }

    @Test func whatIsNoTLSIsRefusedAndOldVersionsToo() throws {
        let context = try Self.context()
        for junk in [
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n", String(repeating: "\u{16}\u{3}\u{1}ÿ", count: 40), "\n\n\n\n\n\n\n\n",
        ] {
            let pair = try Self.pair()
            let server = try #require(TLSSession(context, descriptor: pair.0.raw))
            #expect(server.handshake() == .wantsRead)
            let bytes = Array(junk.utf8)
            #expect(write(pair.1.raw, bytes, bytes.count) == bytes.count)
            guard case .failed(let reason) = server.handshake() else {
                Issue.record("\(junk.debugDescription) is taken for TLS")
                continue
            }
            #expect(!reason.isEmpty)
            #expect(server.handshake() == .closed, "it stays over")
        }
        let pair = try Self.pair()
        let server = try #require(TLSSession(context, descriptor: pair.0.raw))
        let old = try TLSPeer(pair.1.raw, version: TLS1_1_VERSION)
        SSL_do_handshake(old.session)
        var step = server.handshake()
        for _ in 0..<10 where step == .wantsRead {
            SSL_do_handshake(old.session)
            step = server.handshake()
        }
        #expect(step != .done(0) && !server.isEstablished)
        // An end in mid-record is an end.
        let cut = try Self.pair()
        let short = try #require(TLSSession(context, descriptor: cut.0.raw))
        let hello: [UInt8] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01]
        #expect(write(cut.1.raw, hello, 6) == 6)
        let half = short.handshake()
        #expect(half == .wantsRead, "\(half)")
        #expect(short.hasPending)
        shutdown(cut.1.raw, Int32(SHUT_WR))
        #expect(short.handshake() == .closed)
    }

    private static func context() throws -> TLSContext {
        let pem = try SelfMadeIdentity.make(names: [])
        return try TLSContext(certificate: pem, key: pem)
    }

    private static func pair() throws -> (Descriptor2, Descriptor2) {
        var ends: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0, &ends) == 0)
        return (Descriptor2(ends[0]), Descriptor2(ends[1]))
    }
}

/// A descriptor in a tuple, which one that cannot be copied may not be in.
final class Descriptor2 {
    let raw: Int32
    init(_ raw: Int32) { self.raw = raw }
    deinit { close(raw) }
}

/// The client's side of TLS.
final class TLSPeer {
    let session: OpaquePointer
    private let context: OpaquePointer

    init(_ descriptor: Int32, version: Int32) throws {
        context = try #require(SSL_CTX_new(TLS_client_method()))
        session = try #require(SSL_new(context))
        SSL_ctrl(session, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(version), nil)
        SSL_ctrl(session, SSL_CTRL_SET_MAX_PROTO_VERSION, Int(version), nil)
        SSL_set_fd(session, descriptor)
        SSL_set_connect_state(session)
    }

    deinit {
        SSL_free(session)
        SSL_CTX_free(context)
    }
}
