import Agent
import CLinux
import Glibc
import Loop
import Signing
import View

/// `lanewatch-view token …`: one token on standard output. `lanewatch view token` has read the command line, and calls it with pairs of
/// `--name` and a value.
struct TokenOrder {
    private var attendant = ""
    private var lane = ""
    private var mode = ViewMode.view
    private var intervention: String?
    private var seconds = Token.usualSeconds
    private var key = ""

    static func perform(_ words: ArraySlice<String>, complain: (String) -> Void) -> Int32 {
        var order = TokenOrder()
        if let fault = order.read(words) {
            complain("lanewatch view token: \(fault)")
            return 2
        }
        switch order.make() {
        case .success(let token):
            let line = Array((token + "\n").utf8)
            return write(1, line, line.count) == line.count ? 0 : 1
        case .failure(let fault):
            complain("lanewatch view token: \(fault.text)")
            return 1
        }
    }

    private struct Fault: Error {
        var text: String
    }

    /// What is wrong, or nil.
    private mutating func read(_ words: ArraySlice<String>) -> String? {
        var rest = words
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else { return "\(name) needs a value" }
            switch name {
            case "--attendant": attendant = value
            case "--lane": lane = value
            case "--mode":
                guard let mode = ViewMode(name: value) else { return "--mode is view or control, not \"\(value)\"" }
                self.mode = mode
            case "--intervention": intervention = value
            case "--seconds":
                guard let seconds = UInt8(value), seconds >= 1, seconds <= Token.usualSeconds else {
                    return
                        "a token is valid for 1s to \(Token.usualSeconds)s; that is for joining, the session may last longer"
                }
                self.seconds = seconds
            case "--key": key = value
            default: return "no option \"\(name)\""
            }
        }
        for (name, text) in [("--attendant", attendant), ("--lane", lane), ("--intervention", intervention ?? "x")] {
            guard !text.isEmpty, text.utf8.count <= 64,
                text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
            else { return "\(name) is a text of 1 to 64 bytes" }
        }
        return nil
    }

    private func make() -> Result<String, Fault> {
        let pem: [UInt8]
        do throws(SystemError) { pem = try FileBytes.read(key, limit: 65_536) } catch {
            return .failure(
                Fault(
                    text:
                        "cannot read the key \(key): \(SystemError.text(of: error.code)); \"lanewatch view key FILE\" makes one"
                ))
        }
        var status = stat()
        if stat(key, &status) == 0, status.st_mode & 0o077 != 0, status.st_mode & S_IFMT == S_IFREG {
            return .failure(
                Fault(
                    text:
                        "others can read \(key), and so make tokens; chmod 600 it, or make another (\"lanewatch view key\")"
                )
            )
        }
        do throws(SigningFault) {
            let token = Token(
                attendant: attendant, lane: lane, mode: mode, intervention: intervention,
                now: Boottime.wallMilliseconds() / 1000, seconds: seconds)
            guard let text = try token.text(signedWith: try SigningKey(pem: pem)) else {
                return .failure(Fault(text: "a name is too long: 64 bytes at most"))
            }
            return .success(text)
        } catch { return .failure(Fault(text: "\(key) cannot sign: \(error)")) }
    }
}
