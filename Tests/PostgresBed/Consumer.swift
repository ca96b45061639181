import Foundation

/// examples/consumer as a process: what it says is read as events, and it can be killed, stopped and continued.
public final class Consumer: Sendable {
    public let child: Child

    /// One line that it says.
    public struct Event {
        public let name: String
        public let members: [String: Any]

        init?(_ line: String) {
            guard let read = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any],
                let name = read["event"] as? String
            else { return nil }
            self.name = name
            members = read
        }

        /// A count, 0 where it is not told.
        public subscript(count: String) -> Int { members[count] as? Int ?? 0 }
        public func text(_ member: String) -> String { members[member] as? String ?? "" }
    }

    /// Debian's Python, for which its packages are; `CONSUMER_PYTHON` names another, with newer ones.
    public static let python = ProcessInfo.processInfo.environment["CONSUMER_PYTHON"] ?? "/usr/bin/python3"

    public static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples/consumer").path

    /// `consume.py run`, or the program `script` that wraps it, with more words behind.
    public init(
        brokers: String, database: String, script: String? = nil, environment: [String: String] = [:],
        _ words: [String] = []
    ) throws {
        child = try Child(
            Self.words(script, ["run", "--brokers", brokers, "--database", database] + words),
            environment: Self.environment.merging(environment) { $1 })
    }

    /// Another of its commands, to its end.
    @discardableResult
    public static func call(
        _ words: [String], database: String, within seconds: Double = 60, codes: Set<Int32> = [0]
    ) throws -> (code: Int32, lines: [String]) {
        try Child.run(
            Self.words(nil, words + ["--database", database]), environment: environment, within: seconds, codes: codes)
    }

    /// Makes the tables.
    public static func setUp(_ bed: PostgresBed) throws { try call(["init"], database: bed.conninfo) }

    /// Waits until PostgreSQL has all that the brokers have of `topics`; false when it has not in time.
    public static func caughtUp(
        _ bed: PostgresBed, brokers: String, topics: [String] = ["sco.interventions"], within seconds: Int = 60
    ) throws -> Bool {
        let words = ["lag", "--brokers", brokers, "--wait", String(seconds)] + topics.flatMap { ["--topic", $0] }
        return try call(words, database: bed.conninfo, within: Double(seconds) + 60, codes: [0, 1]).code == 0
    }

    private static func words(_ script: String?, _ words: [String]) -> [String] {
        [python, "-u", script ?? folder + "/consume.py"] + words
    }

    private static let environment = ["PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": folder]

    public var events: [Event] { child.lines.compactMap(Event.init) }
    public func events(_ name: String) -> [Event] { events.filter { $0.name == name } }

    /// Waits for an event; nil when it does not come in time.
    public func event(_ name: String, from: Int = 0, within seconds: Double = 60) -> Event? {
        child.line(from: from, within: seconds) { Event($0)?.name == name }.flatMap(Event.init)
    }

    public func signal(_ number: Int32) { child.signal(number) }
    public func end(within seconds: Double = 60) -> Int32? { child.end(within: seconds) }

    /// SIGTERM, then its end; after 30 s SIGKILL.
    @discardableResult
    public func stop() -> Int32? {
        signal(SIGTERM)
        let code = end(within: 30)
        if code == nil { signal(SIGKILL) }
        return code
    }
}
