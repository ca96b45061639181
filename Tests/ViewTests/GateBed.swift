import CLinux
import Foundation
import Glibc
import Loop
import Net
import Signing
import Synchronization
import Testing

@testable import View

/// A folder that goes with the test.
final class GateFolder: Sendable {
    let path: String
    init() throws {
        var template = Array("/tmp/lanewatch-gate-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Stands behind the gate in place of attendants: says a ServerInit, sends back every message, and answers each request for an
/// update with a picture of `pictureBytes`. A thread each, ended by the closing of the gate's end.
final class EchoReception: Reception {
    private struct State {
        var present: [UInt64: Visitor] = [:]
        var left: [UInt64: GateEnd] = [:]
        var threads = 0
    }
    private nonisolated let state = Mutex(State())
    private nonisolated let pictureBytes: Int
    private nonisolated let isClosed: Bool

    nonisolated static let serverInit: [UInt8] =
        [0, 4, 0, 3] + PixelFormat.frame.bytes + [0, 0, 0, 4] + Array("echo".utf8)

    nonisolated init(pictureBytes: Int = 100_000, isClosed: Bool = false) {
        self.pictureBytes = pictureBytes
        self.isClosed = isClosed
    }

    nonisolated var threads: Int { state.withLock { $0.threads } }
    nonisolated var left: [UInt64: GateEnd] { state.withLock { $0.left } }
    nonisolated var present: [Visitor] { state.withLock { $0.present.values.sorted { $0.id < $1.id } } }

    func admit(_ visitor: Visitor) throws(ReceptionFault) -> InnerLink {
        guard !isClosed else { throw ReceptionFault("no screen") }
        var ends: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw ReceptionFault("no pair")
        }
        let wake = eventfd(0, Int32(EFD_CLOEXEC))
        let backlog = Backlog { eventfd_write(wake, 1) }
        let inner = ends[1]
        state.withLock {
            $0.present[visitor.id] = visitor
            $0.threads += 1
        }
        startThread(name: "echo") { [self] in
            serve(inner, backlog, wake)
            close(inner)
            close(wake)
            state.withLock { $0.threads -= 1 }
        }
        do { return try InnerLink(owning: Descriptor(owning: ends[0]), backlog: backlog) } catch {
            throw ReceptionFault(error.description)
        }
    }

    func didLeave(_ visitor: Visitor, _ end: GateEnd) {
        state.withLock {
            $0.present[visitor.id] = nil
            $0.left[visitor.id] = end
        }
    }

    private nonisolated func serve(_ inner: Int32, _ backlog: Backlog, _ wake: Int32) {
        var room = [UInt8](repeating: 0, count: 64 << 10)
        var greeting = InnerLink.greeting.count
        while greeting > 0 {
            let count = read(inner, &room, greeting)
            guard count > 0 else { return }
            greeting -= count
        }
        guard send(Array("RFB 003.003\n".utf8) + [0, 0, 0, 1] + Self.serverInit, inner) else { return }
        let picture = [UInt8](repeating: 0xAB, count: pictureBytes)
        while true {
            let count = read(inner, &room, room.count)
            guard count > 0, send(Array(room[..<count]), inner) else { return }
            // Messages come whole; a request is 10 bytes that begin with 3.
            guard count % 10 == 0, room[0] == 3, pictureBytes > 0 else { continue }
            for _ in 0..<(count / 10) {
                guard waitForRoom(inner, backlog, wake), send(picture, inner) else { return }
            }
        }
    }

    /// As an attendant does: no other picture while one waits at the gate.
    private nonisolated func waitForRoom(_ inner: Int32, _ backlog: Backlog, _ wake: Int32) -> Bool {
        while !backlog.hasRoom(besides: { 0 }) {
            var ready = [pollfd(fd: wake, events: Int16(POLLIN), revents: 0)]
            ready.append(pollfd(fd: inner, events: 0, revents: 0))
            guard poll(&ready, 2, 60_000) > 0, ready[1].revents == 0 else { return false }
            var count: UInt64 = 0
            eventfd_read(wake, &count)
        }
        return true
    }

    private nonisolated func send(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { room in
                Glibc.send(descriptor, room.baseAddress.map { $0 + sent }, room.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }
}

/// A gate on ports of its own, with all that it needs.
struct GateBed {
    let gate: Gate
    let access: Access
    let reception: EchoReception
    let folder: GateFolder
    let rfb: UInt16
    let https: UInt16
    let key: SigningKey
    let remarks: Remarks

    final class Remarks: Sendable {
        private let list = Mutex<[GateRemark]>([])
        func add(_ remark: GateRemark) { list.withLock { $0.append(remark) } }
        var all: [GateRemark] { list.withLock { $0 } }
    }

    init(
        reception: EchoReception = EchoReception(), behind: (any Reception)? = nil,
        _ change: (inout Gate.Options) -> Void = { _ in },
        policy: (inout AccessPolicy) -> Void = { _ in }
    ) async throws {
        folder = try GateFolder()
        key = try SigningKey.made()
        var options = Gate.Options()
        options.rfb = [try #require(ListenAddress("127.0.0.1:0"))]
        options.https = [try #require(ListenAddress("127.0.0.1:0"))]
        change(&options)
        var accessOptions = Access.Options(lane: "L07")
        policy(&accessOptions.policy)
        accessOptions.keys = [key.verifyingKey]
        accessOptions.spentFile = "\(folder.path)/spent"
        let access = try Access(accessOptions)
        let files = try CertificateFiles.openOrMake("\(folder.path)/gate.pem", names: []).files
        let remarks = Remarks()
        let gate = Gate(
            options, access: access, certificates: files, reception: behind ?? reception,
            page: { request in
                request.path == "/"
                    ? HTTPResponse(type: "text/html", body: Array("<p>lane L07</p>".utf8))
                    : HTTPResponse(HTTPFault(404, "there is /"))
            }, remark: { remarks.add($0) })
        self.gate = gate
        self.access = access
        self.reception = reception
        self.remarks = remarks
        (rfb, https) = try await { @LoopActor in
            try gate.open()
            return (gate.rfbAddresses.first?.port ?? 0, gate.httpsAddresses.first?.port ?? 0)
        }()
    }

    func token(
        _ attendant: String = "anna", lane: String = "L07", mode: ViewMode = .control, intervention: String? = nil,
        age: Int64 = 0
    ) throws -> String {
        let token = Token(
            attendant: attendant, lane: lane, mode: mode, intervention: intervention,
            now: Boottime.wallMilliseconds() / 1000 - age)
        return try #require(try token.text(signedWith: key))
    }

    var counts: GateCounts { get async { await { @LoopActor [gate] in gate.counts }() } }

    /// Waits until `condition` holds; false after a minute.
    func until(_ condition: (GateCounts) -> Bool) async -> Bool {
        for _ in 0..<12_000 {
            if condition(await counts) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("\(await counts)")
        return false
    }

    /// Closes the gate: nothing of it is left.
    func close() async {
        await { @LoopActor [gate] in gate.close() }()
        let counts = await counts
        #expect(counts.open == 0 && counts.waiting == 0 && counts.present == 0)
        #expect(counts.connections == counts.ends.values.reduce(0, +), "\(counts)")
        for _ in 0..<12_000 where reception.threads > 0 { try? await Task.sleep(for: .milliseconds(5)) }
        #expect(reception.threads == 0, "each attendant ended with its link")
    }
}

/// How many descriptors this process has open.
func openDescriptors() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0 }
