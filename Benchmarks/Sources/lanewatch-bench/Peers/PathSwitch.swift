import Glibc
import Loop
import Synchronization

/// The network path between clients and brokers, which can be cut: then every connection ends and none is taken.
///
/// Copies bytes by a thread a direction, so it costs throughput: all who are compared go through it alike.
final class PathSwitch: Sendable {
    private struct State {
        var listeners: [Int32] = []
        var connections: Set<Int32> = []
        var isCut = false
    }

    private let routes: [(listen: Int, to: Int)]
    private let state = Mutex(State())

    var ports: [Int] { routes.map(\.listen) }

    init(_ routes: [(listen: Int, to: Int)]) throws {
        self.routes = routes
        try restore()
    }

    /// Ends all connections and takes none until `restore`.
    func cut() {
        let open = state.withLock { state in
            state.isCut = true
            defer { state.listeners = [] }
            // Their own threads close them.
            for connection in state.connections { shutdown(connection, Int32(SHUT_RDWR)) }
            return state.listeners
        }
        for listener in open { shutdown(listener, Int32(SHUT_RDWR)) }
    }

    func restore() throws {
        state.withLock { $0.isCut = false }
        for route in routes {
            // The old one is closed by its thread, in a moment.
            var listener = Socket.listening(route.listen)
            for _ in 0..<100 where listener == nil {
                usleep(10_000)
                listener = Socket.listening(route.listen)
            }
            guard let listener else { throw RealKafka.Failure(description: "port \(route.listen) is taken") }
            state.withLock { $0.listeners.append(listener) }
            startThread(name: "switch") { self.serve(listener, route.to) }
        }
    }

    func close() { cut() }

    private func serve(_ listener: Int32, _ port: Int) {
        defer { Glibc.close(listener) }
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { return }
            guard let broker = Socket.connected(port) else {
                Glibc.close(client)
                continue
            }
            Socket.setNoDelay(client)
            let isTaken = state.withLock { state in
                guard !state.isCut else { return false }
                state.connections.formUnion([client, broker])
                return true
            }
            guard isTaken else {
                Glibc.close(client)
                Glibc.close(broker)
                continue
            }
            let left = Countdown(2)
            for (from, to) in [(client, broker), (broker, client)] {
                startThread(name: "switch") {
                    Self.copy(from, to)
                    guard left.isLast() else { return }
                    self.state.withLock { state in
                        state.connections.subtract([client, broker])
                        Glibc.close(client)
                        Glibc.close(broker)
                    }
                }
            }
        }
    }

    private static func copy(_ from: Int32, _ to: Int32) {
        var piece = [UInt8](repeating: 0, count: 262_144)
        while true {
            let count = read(from, &piece, piece.count)
            guard count > 0 else { break }
            var sent = 0
            while sent < count {
                let more = piece.withUnsafeBytes {
                    send(to, $0.baseAddress.map { $0 + sent }, count - sent, Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { break }
                sent += more
            }
            if sent < count { break }
        }
        // The other direction's thread is woken by it.
        shutdown(from, Int32(SHUT_RDWR))
        shutdown(to, Int32(SHUT_RDWR))
    }
}

/// Counts down from a number of threads.
final class Countdown: Sendable {
    private let count: Mutex<Int>
    init(_ count: Int) { self.count = Mutex(count) }

    func isLast() -> Bool {
        count.withLock { count in
            count -= 1
            return count == 0
        }
    }

    /// Waits until all are through, at most `seconds`.
    func wait(_ seconds: Double = 120) {
        let end = Boottime.nanoseconds() + Int64(seconds * 1e9)
        while count.withLock({ $0 }) > 0, Boottime.nanoseconds() < end { usleep(500) }
    }
}

/// A folder below /tmp that goes with all that is in it.
struct Scratch {
    let path: String

    init() {
        var template = Array(("/tmp/lanewatch-peers-" + String(repeating: "X", count: 6)).utf8CString)
        precondition(mkdtemp(&template) != nil, "no folder below /tmp")
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func write(_ name: String, _ text: String) throws {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        guard file >= 0 else { throw SystemError("open") }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else { throw SystemError("write") }
    }

    func remove() { Self.remove(path) }

    private static func remove(_ path: String) {
        if let folder = opendir(path) {
            var names: [String] = []
            while let entry = readdir(folder) {
                names.append(
                    withUnsafePointer(to: &entry.pointee.d_name) {
                        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
                    })
            }
            closedir(folder)
            for name in names where name != "." && name != ".." { remove(path + "/" + name) }
            rmdir(path)
        } else {
            unlink(path)
        }
    }
}
