import Foundation

/// A real PostgreSQL in a folder and on a port of its own, on loopback, with nobody's data but the test's.
///
/// Whoever makes one ends it: `end()` leaves no process and no file. As root it runs as Debian's user postgres, which may not be
/// root itself.
public final class PostgresBed: @unchecked Sendable {
    // @unchecked: `server` is touched by the test that owns the bed, one call after the other; the rest is constant.
    public let folder: String
    public let port: Int
    /// For libpq: `host=127.0.0.1 port=… user=postgres dbname=postgres`.
    public let conninfo: String
    private let programs: String
    private let settings: [String]
    private var server: Child?

    /// The folder of PostgreSQL's programs: Debian's newest.
    public static let programs: String? = {
        let base = "/usr/lib/postgresql"
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: base)) ?? []
        return versions.compactMap(Int.init).sorted().last.map { "\(base)/\($0)/bin" }
    }()

    /// Makes a database cluster, starts it, and waits until it answers.
    /// - Parameter settings: of PostgreSQL's own, `fsync=on`. A kill -9 loses nothing without fsync: the kernel has it.
    public init(_ settings: String...) throws {
        guard let programs = Self.programs else { throw BedFailure("no PostgreSQL below /usr/lib/postgresql") }
        self.programs = programs
        self.settings = ["fsync=off"] + settings
        var template = Array("/tmp/lanewatch-postgres-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BedFailure("mkdtemp") }
        folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        port = Self.freePort()
        conninfo = "host=127.0.0.1 port=\(port) user=postgres dbname=postgres"
        do {
            if getuid() == 0 { try Child.run(["chown", "postgres", folder]) }
            try Child.run(
                Self.unprivileged + [
                    programs + "/initdb", "-D", folder + "/data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                    "--no-sync", "--no-instructions",
                ], within: 120)
            try up()
        } catch {
            end()
            throw error
        }
    }

    private static let unprivileged: [String] =
        getuid() == 0 ? ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"] : []

    /// Starts the server and waits until it answers. After `kill` the old one's processes may need a moment to be gone.
    public func up() throws {
        let until = Date(timeIntervalSinceNow: 90)
        while Date() < until {
            let words =
                Self.unprivileged + [
                    programs + "/postgres", "-D", folder + "/data", "-p", String(port), "-k", folder, "-c",
                    "listen_addresses=127.0.0.1",
                ]
            // setpriv becomes the server: the child's pid is the server's.
            let server = try Child(words + settings.flatMap { ["-c", $0] })
            self.server = server
            while server.isRunning && Date() < until {
                let ask = ["\(programs)/pg_isready", "-q", "-t", "2", "-h", "127.0.0.1", "-p", String(port)]
                if try Child.run(ask, codes: [0, 1, 2, 3]).code == 0 { return }
                usleep(50_000)
            }
            usleep(100_000)
        }
        throw BedFailure("PostgreSQL does not start: \(server?.lines.suffix(8) ?? [])")
    }

    /// kill -9 of the server; its other processes end when they see it.
    public func kill() { stop(SIGKILL) }

    /// The server ends in order, sessions are cut.
    public func down() { stop(SIGINT) }

    private func stop(_ signal: Int32) {
        server?.signal(signal)
        if server?.end(within: 30) == nil { server?.signal(SIGKILL) }
        server = nil
    }

    /// The rows of a query, each column as text, null as empty.
    public func rows(_ statement: String) throws -> [[String]] {
        let words = [
            "\(programs)/psql", "-X", "-q", "-A", "-t", "-F", "\u{1F}", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-c",
            statement,
        ]
        return try Child.run(words, environment: ["PGOPTIONS": "-c search_path=lanewatch,public"]).lines.map {
            $0.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
        }
    }

    /// The only number of the only row.
    public func number(_ statement: String) throws -> Int {
        let rows = try rows(statement)
        guard rows.count == 1, rows[0].count == 1, let number = Int(rows[0][0]) else {
            throw BedFailure("\(statement): \(rows.prefix(3))")
        }
        return number
    }

    /// Whatever state it is in: nothing runs any more, nothing is left.
    public func end() {
        stop(SIGQUIT)
        try? FileManager.default.removeItem(atPath: folder)
    }

    deinit { end() }

    private static func freePort() -> Int {
        for _ in 0..<200 {
            let port = Int.random(in: 20_000..<30_000)
            let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            guard raw >= 0 else { continue }
            defer { close(raw) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(UInt16(port).bigEndian)
            address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
            let bound = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if bound == 0 { return port }
        }
        return 25_432
    }
}
