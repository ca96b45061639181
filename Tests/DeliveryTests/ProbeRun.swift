import Foundation
import Glibc

/// Runs `outbox-probe`, which the build puts beside the tests, until it ends or has written `lines` lines: then kill -9.
/// Gives the lines written whole.
/// `atLine` is told the number of lines so far.
func probe(
    _ arguments: [String], killAfter lines: Int? = nil, atLine: @escaping @Sendable (Int) -> Void = { _ in }
) async throws -> [String] {
    let text = try await child(["timeout", "-s", "KILL", "120", try probePath()] + arguments) { soFar, pid in
        atLine(soFar.count { $0 == 10 })
        guard let lines, soFar.count(where: { $0 == 10 }) >= lines else { return }
        // `timeout` cannot pass on a SIGKILL: its child is the one.
        for child in children(of: pid) { kill(child, SIGKILL) }
    }
    let whole = text.lastIndex(of: 10).map { text[...$0] } ?? []
    return String(decoding: whole, as: UTF8.self).split(separator: "\n").map(String.init)
}

private func children(of pid: pid_t) -> [pid_t] {
    let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(pid)/children", encoding: .utf8)
    return (text ?? "").split(separator: " ").compactMap { pid_t($0) }
}

private func probePath() throws -> String {
    let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    for place in [own] + CommandLine.arguments {
        var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
        for _ in 0..<3 {
            let probe = folder.appendingPathComponent("outbox-probe").path
            if FileManager.default.isExecutableFile(atPath: probe) { return probe }
            folder.deleteLastPathComponent()
        }
    }
    throw CocoaError(.fileNoSuchFile)
}

/// What a topic's log says: the numbers of first appearances in order, and how many came again.
struct Ledger {
    var numbers: [Int] = []
    var sequences: [String] = []
    var duplicates = 0

    init(_ lines: [String]) {
        var seen: Set<String> = []
        for line in lines {
            let parts = line.split(separator: "|", maxSplits: 1)
            guard parts.count == 2,
                let sequence = parts[0].split(separator: ",").first(where: { $0.hasPrefix("ce_sequence=") })
            else { continue }
            guard seen.insert(String(sequence.dropFirst(12))).inserted else {
                duplicates += 1
                continue
            }
            sequences.append(String(sequence.dropFirst(12)))
            let number = parts[1].firstRange(of: "\"n\":").flatMap {
                Int(parts[1][$0.upperBound...].prefix { $0.isNumber })
            }
            numbers.append(number ?? -1)
        }
    }
}
