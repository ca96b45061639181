import CLinux
import Glibc
import Loop
import Rules

/// A recording that a command line names, read in pieces; `-` is standard input.
final class RecordingInput {
    private let path: String
    private let command: String
    private let isReadTwice: Bool
    /// Of standard input, where it is to be read twice.
    private var kept: [[UInt8]]?

    /// - Parameter command: what errors begin with.
    init(_ path: String, for command: String, isReadTwice: Bool = false) {
        self.path = path
        self.command = command
        self.isReadTwice = isReadTwice
    }

    /// Gives the recording to `take`, piece by piece; false, and a word on standard error, where it cannot be read.
    func read(_ take: ([UInt8]) throws(ReplayFault) -> Void) throws(ReplayFault) -> Bool {
        if let kept {
            for piece in kept { try take(piece) }
            return true
        }
        let raw = path == "-" ? dup(0) : lw_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else { return fail(errno) }
        let descriptor = Descriptor(owning: raw)
        var pieces: [[UInt8]] = []
        var held = 0
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = Glibc.read(descriptor.raw, &buffer, buffer.count)
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                return fail(errno)
            }
            let piece = count == buffer.count ? buffer : Array(buffer[0..<count])
            if isReadTwice, path == "-" {
                held += count
                guard held <= Files.limit else {
                    Terminal.error("lanewatch \(command): standard input is too long to be read twice; give a file\n")
                    return false
                }
                pieces.append(piece)
            }
            try take(piece)
        }
        if isReadTwice, path == "-" { kept = pieces }
        return true
    }

    private func fail(_ code: Int32) -> Bool {
        Terminal.error("lanewatch \(command): cannot read \(path): \(SystemError.text(of: code))\n")
        return false
    }
}
