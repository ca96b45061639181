import Lane
import Net

/// The other side of `SocketFeed`, for `lanewatch signal` and tests: sends a line and waits for its answer.
///
/// Blocks the calling thread, within its time limit; never use it on the loop.
public struct SignalClient: ~Copyable {
    /// What the agent said about a line.
    public struct Answer: Hashable, Sendable {
        /// The signal's number, once it is durable; nil where the agent refused the line.
        public var number: Int64?
        /// Why it was refused.
        public var error: String?
        /// Where in the line, in bytes from 1.
        public var column: Int?
        /// Attributes that were left out: not declared for the type, or of another kind.
        public var ignored: [String] = []
    }

    private var client: LineClient
    private let path: String

    /// Connects to the agent that listens on `path`.
    public init(path: String, timeout: Duration = .seconds(5)) throws(SignalClientError) {
        client = try LineClient(path: path, timeout: timeout)
        self.path = path
    }

    /// The line of a signal that asks for an answer.
    public static func line(_ type: SignalType, _ attributes: [Attribute], traceparent: String? = nil) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("type", type.name)
            for attribute in attributes {
                json.name(attribute.name.name)
                json.value(attribute.value)
            }
            if let traceparent { json.member("traceparent", traceparent) }
            json.member("ack", true)
        }
        return json.bytes
    }

    /// Sends `line` (without its line feed; it must ask for an answer) and waits for the answer.
    public mutating func send(_ line: [UInt8], timeout: Duration = .seconds(5)) throws(SignalClientError) -> Answer {
        try parse(try client.exchange(line, timeout: timeout))
    }

    private func parse(_ line: [UInt8]) throws(SignalClientError) -> Answer {
        guard let value = try? JSONValue(parsing: line), let ok = value["ok"]?.bool, ok == (value["seq"]?.int != nil)
        else {
            throw SignalClientError.notAnAgent(path)
        }
        return Answer(
            number: value["seq"]?.int, error: ok ? nil : value["error"]?.text ?? "no reason given",
            column: value["column"]?.int.map { Int($0) },
            ignored: value["ignored"]?.elements?.compactMap(\.text) ?? [])
    }
}

/// Why a signal could not be sent; a sentence with the way out.
public typealias SignalClientError = LineClientError
