import Glibc
import Loop
import Synchronization

/// Several writers that write their lines to a socket as fast as they are taken.
enum Writers {
    struct Result {
        /// How many lines of each range were answered or, where nothing answers, read by the product.
        var accepted: [Int]
        /// From the first line to the last answer, or until the last line was read.
        var seconds: Double
        var total: Int { accepted.reduce(0, +) }
    }

    /// - Parameters:
    ///   - answered: whether each line is answered once it is on the disk. Else lines count that the product has read: what is
    ///     in the socket's buffer does not.
    ///   - limit: after so many seconds no more lines are written.
    static func run(
        _ path: String, _ ranges: [Ledger.Range], answered: Bool, limit: Double,
        line: @escaping @Sendable (Int) -> [UInt8]
    ) -> Result {
        let accepted = Mutex([Int](repeating: 0, count: ranges.count))
        let last = Mutex(Int64(0))
        let countdown = Countdown(ranges.count)
        let shared = Shared(accepted, last)
        let begin = Boottime.nanoseconds()
        let end = begin + Int64(limit * 1e9)
        for (place, range) in ranges.enumerated() {
            startThread(name: "writer") {
                defer { _ = countdown.isLast() }
                guard let peer = Peer(path) else { return }
                let count =
                    answered ? converse(peer, range, end, line) : pour(peer, range, end, line)
                let now = Boottime.nanoseconds()
                shared.accepted.withLock { $0[place] = count }
                shared.last.withLock { $0 = max($0, now) }
            }
        }
        countdown.wait(limit + 60)
        return Result(
            accepted: shared.accepted.withLock { $0 }, seconds: Double(shared.last.withLock { $0 } - begin) / 1e9)
    }

    private final class Shared: Sendable {
        let accepted: Mutex<[Int]>
        let last: Mutex<Int64>
        init(_ accepted: consuming Mutex<[Int]>, _ last: consuming Mutex<Int64>) {
            self.accepted = accepted
            self.last = last
        }
    }

    /// Writes and, on another thread, reads the answers; how many lines were answered as taken.
    private static func converse(
        _ peer: Peer, _ range: Ledger.Range, _ end: Int64, _ line: @escaping @Sendable (Int) -> [UInt8]
    ) -> Int {
        let written = Mutex<Int?>(nil)
        let box = Written(written)
        startThread(name: "lines") {
            let count = write(peer, range, end, line)
            box.count.withLock { $0 = count }
        }
        var answers = 0
        var piece = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let count = box.count.withLock({ $0 }), answers >= count { break }
            var wanted = pollfd(fd: peer.descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wanted, 1, 100) > 0 else {
                if Boottime.nanoseconds() > end + 20_000_000_000 { break }
                continue
            }
            let count = read(peer.descriptor, &piece, piece.count)
            if count <= 0 { break }
            answers += piece[0..<count].count { $0 == 10 }
        }
        return answers
    }

    private final class Written: Sendable {
        let count: Mutex<Int?>
        init(_ count: consuming Mutex<Int?>) { self.count = count }
    }

    /// Writes, and waits until all was read.
    private static func pour(
        _ peer: Peer, _ range: Ledger.Range, _ end: Int64, _ line: (Int) -> [UInt8]
    ) -> Int {
        let count = write(peer, range, end, line)
        // What lies in a Unix socket and was not read is counted with the writer. Source: unix(7), SIOCOUTQ.
        var unread: Int32 = 0
        while ioctl(peer.descriptor, UInt(TIOCOUTQ), &unread) == 0, unread > 0,
            Boottime.nanoseconds() < end + 20_000_000_000
        { usleep(200) }
        return count
    }

    /// - Returns: how many whole lines were written.
    private static func write(
        _ peer: Peer, _ range: Ledger.Range, _ end: Int64, _ line: (Int) -> [UInt8]
    ) -> Int {
        var limit = timeval(tv_sec: 1, tv_usec: 0)
        setsockopt(peer.descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var next = 0
        while next < range.count, Boottime.nanoseconds() < end {
            // Some lines at once, as a busy POS application's buffer brings them.
            let count = min(32, range.count - next)
            var bytes: [UInt8] = []
            for i in next..<next + count { bytes += line(range.first + i) }
            var sent = 0
            // Once begun, lines are written whole, unless nothing moves any more.
            while sent < bytes.count, Boottime.nanoseconds() < end + 20_000_000_000 {
                let more = bytes.withUnsafeBytes {
                    send(peer.descriptor, $0.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
                }
                if more < 0, errno != EAGAIN, errno != EINTR { return next }
                sent += max(0, more)
            }
            guard sent == bytes.count else { return next }
            next += count
        }
        return next
    }

    /// Writes one line after the other, `rate` a second; when each was written.
    static func pace(_ path: String, _ range: Ledger.Range, rate: Int, line: (Int) -> [UInt8]) -> [Int64] {
        guard let peer = Peer(path) else { return [] }
        var sent: [Int64] = []
        sent.reserveCapacity(range.count)
        var answers = [UInt8](repeating: 0, count: 65_536)
        let begin = Boottime.nanoseconds()
        for i in 0..<range.count {
            let bytes = line(range.first + i)
            Pace.wait(until: begin + Int64(i) * 1_000_000_000 / Int64(rate))
            sent.append(Boottime.nanoseconds())
            _ = bytes.withUnsafeBytes { send(peer.descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            _ = recv(peer.descriptor, &answers, answers.count, Int32(MSG_DONTWAIT))
        }
        return sent
    }
}
