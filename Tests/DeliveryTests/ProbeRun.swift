import Dispatch
import Foundation
import Synchronization

/// Runs `outbox-probe`, which the build puts beside the tests, until it ends or has written `lines` lines: then kill -9.
/// Gives the lines written whole.
func probe(_ arguments: [String], killAfter lines: Int? = nil, _ atLine: (@Sendable (Int) -> Void)? = nil) async throws
    -> [String]
{
    let path = try probePath()
    return try await withCheckedThrowingContinuation { done in
        DispatchQueue.global().async {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = arguments
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardInput = FileHandle.nullDevice
            var text = Data()
            var seen = 0
            do { try process.run() } catch { return done.resume(throwing: error) }
            while true {
                let piece = pipe.fileHandleForReading.availableData
                if piece.isEmpty { break }
                text.append(piece)
                let count = text.count { $0 == 10 }
                if count != seen { atLine?(count) }
                seen = count
                if let lines, count >= lines { kill(process.processIdentifier, SIGKILL) }
            }
            process.waitUntilExit()
            let whole = text.lastIndex(of: 10).map { text[...$0] } ?? Data()
            done.resume(returning: String(decoding: whole, as: UTF8.self).split(separator: "\n").map(String.init))
        }
    }
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
