import Lane
import Net

/// Asks a running agent over its control socket. For commands; blocks, within its time limit.
public enum ControlClient {
    /// Answers are at most this long: a line a rule, and five thousand rules.
    static let answerBytes = 16 << 20

    /// The agent's answer; its refusals come as `.failure`, as do an agent that is not there and one that is silent.
    public static func ask(
        _ request: ControlRequest, path: String, timeout: Duration = .seconds(5)
    ) -> Result<JSONValue, ControlError> {
        ask(line: request.line, path: path, timeout: timeout)
    }

    static func ask(line: [UInt8], path: String, timeout: Duration) -> Result<JSONValue, ControlError> {
        do throws(LineClientError) {
            var client = try LineClient(path: path, answerBytes: answerBytes, timeout: timeout)
            let line = try client.exchange(line, timeout: timeout)
            guard let value = try? JSONValue(parsing: line), let isGood = value["ok"]?.bool else {
                throw LineClientError.notAnAgent(path)
            }
            if isGood { return .success(value) }
            return .failure(ControlError(description: value["error"]?.text ?? "the agent gave no reason"))
        } catch {
            return .failure(ControlError(description: error.description, isNobodyThere: error.code == .noAgent))
        }
    }
}

/// Why there is no answer: a sentence with the way out.
public struct ControlError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
    /// No agent listens there.
    public let isNobodyThere: Bool

    init(description: String, isNobodyThere: Bool = false) {
        self.description = description
        self.isNobodyThere = isNobodyThere
    }
}
