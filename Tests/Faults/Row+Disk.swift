import FaultParts
import Foundation
import Glibc

extension Row {
    /// The lane's disk and what lies on it.
    static let ofTheDisk: [Row] = [
        Row("disk-full", "the disk of the state folder full for up to 6 s", stateBytes: 12 << 20) { trial in
            if trial.chance.coin() { try trial.proxy().set(.refused) }
            try await trial.pause(0.1...1)
            // The folder is in the agent's own mount namespace: reached through it.
            let filler = "/proc/\(trial.lane.pid)/root\(trial.lane.folder)/state/filler"
            let written = try fill(filler)
            trial.remark = "\(written >> 10) KiB filled"
            try await trial.pause(1...6)
            guard unlink(filler) == 0 else { throw Fault("the filler cannot be removed") }
            try trial.heal()
            try await trial.awaitAnswers(50)
        },
        Row("database-removed", "the database deleted while the agent runs, which is then stopped and started") {
            trial in
            try await trial.pause(0...1)
            for suffix in ["", "-wal", "-shm"] { _ = unlink(trial.lane.state.database + suffix) }
            try await trial.pause(0.5...3)
            // The engine's memory is gone with it: what was raised is not ended any more.
            trial.allowance.judgesClears = false
            trial.allowance.mostEpochs = 3
            try await trial.stopAgent()
            try await trial.startAgent()
        },
        Row("log-truncated", "kill -9, and the end of the database's log cut off") { trial in
            try await trial.pause(0...1)
            try await trial.killAgent()
            let wal = trial.lane.state.database + "-wal"
            var bytes = [UInt8](FileManager.default.contents(atPath: wal) ?? Data())
            guard bytes.count > 4096 else {
                trial.remark = "there was no log"
                return try await trial.startAgent()
            }
            let kept = trial.chance.number(32...bytes.count - 1)
            guard truncate(wal, kept) == 0 else { throw Fault("truncate") }
            // What stood in the part that is gone is taken by the fault's own hand.
            bytes.removeFirst(kept)
            trial.allowance.setAside = Ledger.numbers(anywhereIn: bytes)
            damaged(trial, "\(bytes.count) bytes cut off")
            try await trial.startAgent()
        },
        Row("bit-flipped", "kill -9, and one bit of the database or its log turned over") { trial in
            try trial.proxy().set(.refused)
            try await trial.pause(0.2...1.5)
            try await trial.killAgent()
            try flip(trial)
            try await trial.startAgent()
        },
    ]

    private static func damaged(_ trial: Trial, _ remark: String) {
        trial.allowance.judgesClears = false
        trial.allowance.mostEpochs = 2
        trial.remark = remark
    }

    private static func flip(_ trial: Trial) throws {
        let database = trial.lane.state.database
        let wal = (FileManager.default.contents(atPath: database + "-wal")?.count ?? 0) > 0
        let path = wal && trial.chance.coin() ? database + "-wal" : database
        guard var bytes = FileManager.default.contents(atPath: path).map({ [UInt8]($0) }), !bytes.isEmpty else {
            throw Fault("\(path) is not there")
        }
        let place = trial.chance.number(0...bytes.count - 1)
        let page = place / 4096 * 4096
        // Of what stood beside it nobody can say whether it is still right.
        trial.allowance.setAside = Ledger.numbers(anywhereIn: Array(bytes[page..<min(bytes.count, page + 8192)]))
        bytes[place] ^= 1 << UInt8(trial.chance.number(0...7))
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        damaged(trial, "byte \(place) of \(bytes.count), \(path.hasSuffix("wal") ? "log" : "database")")
    }

    /// Writes until there is no room.
    private static func fill(_ path: String) throws -> Int {
        let raw = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw Fault("\(path): \(String(cString: strerror(errno)))") }
        defer { close(raw) }
        var written = 0
        for size in [65_536, 4096, 1] {
            let block = [UInt8](repeating: 1, count: size)
            while case let count = write(raw, block, size), count > 0 { written += count }
        }
        return written
    }
}
