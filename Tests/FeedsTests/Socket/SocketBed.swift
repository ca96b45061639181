import CLinux
import Feeds
import Glibc
import Lane
import Loop

/// A merge point that a test holds in its hand: how much room there is, and when signals are durable.
@LoopActor final class SocketSink: FeedSink {
    var room = Int.max
    /// Answers are given at once; else they wait for `commit`.
    var isDurable = true
    private(set) var signals: [Signal] = []
    private(set) var notices: [Notice] = []
    private var next: Int64 = 1
    private var owed: [(number: Int64, answer: @LoopActor (Result<Int64, AcceptFault>) -> Void)] = []
    private var resumes: [@LoopActor () -> Void] = []
    private var conditions: [(met: @LoopActor (SocketSink) -> Bool, resume: @LoopActor () -> Void)] = []

    nonisolated init() {}

    var owedCount: Int { owed.count }
    var isAskedForRoom: Bool { !resumes.isEmpty }

    func receive(_ reading: Reading) {
        if case .signal(let signal) = reading { take(signal) }
    }

    func receive(_ signal: Signal, answer: @escaping @LoopActor (Result<Int64, AcceptFault>) -> Void) {
        take(signal)
        if isDurable { answer(.success(next - 1)) } else { owed.append((next - 1, answer)) }
        check()
    }

    private func take(_ signal: Signal) {
        if room != .max { room -= 1 }
        signals.append(signal)
        next += 1
        check()
    }

    func whenRoom(_ resume: @escaping @LoopActor () -> Void) {
        resumes.append(resume)
        check()
    }

    func note(_ notice: Notice) { notices.append(notice) }

    func giveRoom(_ count: Int) {
        room = count
        let resumes = self.resumes
        self.resumes = []
        for resume in resumes { resume() }
    }

    /// The disk has what was received so far, or cannot take it.
    func commit(_ fault: AcceptFault? = nil) {
        let owed = self.owed
        self.owed = []
        for (number, answer) in owed { answer(fault.map { .failure($0) } ?? .success(number)) }
    }

    /// Returns once `condition` holds; it is looked at whenever something arrives here.
    func until(_ condition: @escaping @LoopActor (SocketSink) -> Bool) async {
        await withCheckedContinuation { continuation in
            conditions.append((condition, { continuation.resume() }))
            check()
        }
    }

    private func check() {
        let met = conditions.filter { $0.met(self) }
        conditions.removeAll { entry in entry.met(self) }
        for entry in met { entry.resume() }
    }
}

/// A feed on a socket in a folder of its own.
struct SocketBed {
    let folder: String
    let path: String
    let feed: SocketFeed
    let sink = SocketSink()

    init(_ change: (inout SocketOptions) -> Void = { _ in }) async throws {
        var template = Array("/tmp/lanewatch-socket-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        folder = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        path = folder + "/pos.sock"
        var options = SocketOptions(path: path)
        change(&options)
        feed = SocketFeed(options)
        let (feed, sink) = (feed, sink)
        try await Self.onLoop { try feed.start(sink) }
    }

    static func onLoop<T: Sendable>(_ body: @LoopActor @Sendable () throws -> T) async rethrows -> T {
        try await body()
    }

    /// Stops the feed, removes the folder, and gives the counts of lines and of connections.
    @discardableResult func stop() async -> (lines: StageCounts, connections: StageCounts) {
        let feed = feed
        let counts = await Self.onLoop {
            feed.stop()
            return (feed.counts, feed.connectionCounts)
        }
        unlink(path)
        rmdir(folder)
        return counts
    }

    /// Returns once `condition` holds; gives up after ten seconds.
    func until(_ condition: @escaping @LoopActor @Sendable (SocketFeed) -> Bool) async -> Bool {
        let feed = feed
        for _ in 0..<2000 {
            if await Self.onLoop({ condition(feed) }) { return true }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return false
    }
}

/// A plain blocking peer; reads give up after ten seconds.
final class RawPeer: @unchecked Sendable {
    // @unchecked: each test uses its peer from one task at a time.
    let descriptor: Int32
    private var pending: [UInt8] = []

    init(_ path: String) throws {
        descriptor = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw SystemError("connect") }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Whether all bytes went out.
    @discardableResult func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult func send(_ bytes: [UInt8]) -> Bool { sendWhatFits(bytes, flags: 0) == bytes.count }

    /// Writes without waiting where `flags` says MSG_DONTWAIT. How many bytes went out.
    func sendWhatFits(_ bytes: [UInt8], flags: Int = Int(MSG_DONTWAIT)) -> Int {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(
                    descriptor, $0.baseAddress.map { $0 + sent }, $0.count - sent, Int32(MSG_NOSIGNAL) | Int32(flags))
            }
            if count <= 0 { break }
            sent += count
        }
        return sent
    }

    func endWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// The next line, nil at the end or after ten seconds.
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

    /// `count` lines, or all up to the end.
    func lines(_ count: Int = .max) -> [String] {
        var lines: [String] = []
        while lines.count < count, let line = line() { lines.append(line) }
        return lines
    }
}
