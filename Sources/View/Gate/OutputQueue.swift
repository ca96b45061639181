/// Bytes on their way out, in the pieces in which they came: what is large is never copied together.
struct OutputQueue {
    private var pieces: [[UInt8]] = []
    private var first = 0
    private var written = 0
    /// Bytes that wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ piece: [UInt8]) {
        guard !piece.isEmpty else { return }
        pieces.append(piece)
        count += piece.count
    }

    enum Outcome {
        case all
        /// The other side takes nothing more now.
        case some
        case gone
    }

    /// Gives what waits to `write`, until all is gone or it says no.
    mutating func flush(_ write: (UnsafeRawBufferPointer) -> OuterSocket.Step) -> Outcome {
        while first < pieces.count {
            let from = written
            let step = pieces[first].withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[from...])) }
            switch step {
            case .done(let taken):
                count -= taken
                written += taken
                if written == pieces[first].count {
                    pieces[first] = []
                    first += 1
                    written = 0
                }
            case .wantsRead, .wantsWrite: return trimmed(.some)
            case .closed, .failed: return .gone
            }
        }
        return trimmed(.all)
    }

    private mutating func trimmed(_ outcome: Outcome) -> Outcome {
        if first == pieces.count {
            pieces.removeAll(keepingCapacity: pieces.capacity <= 64)
            first = 0
        } else if first > 64 {
            pieces.removeFirst(first)
            first = 0
        }
        return outcome
    }
}
