/// Answers of one connection, in the order of its lines: those that are known wait for those before them that are not.
struct AnswerQueue {
    private enum Slot {
        case waiting
        case ready([UInt8])
    }

    private var slots: [Slot] = []
    /// The place in `slots` of the first answer not given out.
    private var head = 0
    /// The number of `slots[head]`.
    private var first = 0

    /// Answers that are not given out yet.
    var count: Int { slots.count - head }

    /// Keeps a place for an answer that comes later; its number is for `fill`.
    mutating func open() -> Int {
        slots.append(.waiting)
        return first + count - 1
    }

    /// An answer that is known now.
    mutating func append(_ answer: [UInt8], to output: inout [UInt8]) {
        if count == 0 {
            output.append(contentsOf: answer)
        } else {
            slots.append(.ready(answer))
        }
    }

    /// The answer for the place `number`; moves it, and those it held up, to `output`.
    mutating func fill(_ number: Int, _ answer: [UInt8], to output: inout [UInt8]) {
        let place = head + number - first
        guard place >= head, place < slots.count, case .waiting = slots[place] else { return }
        slots[place] = .ready(answer)
        passOn(&output)
    }

    /// As `fill`, for a signal that was accepted without remarks.
    mutating func fill(_ number: Int, accepted seq: Int64, to output: inout [UInt8]) {
        let place = head + number - first
        // Answers come in order: the answer is written where it goes, without a stay here.
        guard place == head, place < slots.count, case .waiting = slots[place] else {
            return fill(number, SocketAnswer.accepted(seq, ignored: []), to: &output)
        }
        SocketAnswer.write(accepted: seq, to: &output)
        head += 1
        first += 1
        passOn(&output)
    }

    private mutating func passOn(_ output: inout [UInt8]) {
        while head < slots.count, case .ready(let bytes) = slots[head] {
            output.append(contentsOf: bytes)
            head += 1
            first += 1
        }
        if head == slots.count {
            slots.removeAll(keepingCapacity: slots.capacity <= 1024)
            head = 0
        } else if head >= 1024 {
            slots.removeFirst(head)
            head = 0
        }
    }
}
