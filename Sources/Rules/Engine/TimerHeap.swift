/// The engine's timers: a binary heap in the order (deadline, rule, arm number), which is the order they run in.
///
/// A cancelled timer stays in the heap until it surfaces or the dead are many; the top is always alive. Rules are
/// numbered by their places, arm numbers count up, so no two timers are equal and the order is the same on every run.
struct TimerHeap: Sendable {
    /// What a timer is for.
    enum Purpose: UInt8, Sendable {
        /// B: no answer came.
        case wait
        /// D: the state lasted.
        case lasting
        case escalate
        case clearAfter
    }

    struct Timer: Sendable {
        var purpose: Purpose
        var rule: Int32
        /// The place of the wait (B) or of the active intervention.
        var place: Int32 = -1
        /// Which of the rule's escalations.
        var escalation: Int32 = 0
        /// Milliseconds by which the deadline was in the past when it was armed (after a gap or a reload).
        var late: Int64 = 0
    }

    struct Handle: Hashable, Sendable {
        var slot: Int32
        static let none = Handle(slot: -1)
    }

    private struct Entry: Sendable {
        var deadline: Int64
        var arm: Int64
        var rule: Int32
        var slot: Int32

        @inline(__always)
        static func < (a: Entry, b: Entry) -> Bool {
            if a.deadline != b.deadline { return a.deadline < b.deadline }
            if a.rule != b.rule { return a.rule < b.rule }
            return a.arm < b.arm
        }
    }

    private struct Slot: Sendable {
        /// 0 when free: arm numbers count from 1.
        var arm: Int64
        var timer: Timer
    }

    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var free: [Int32] = []
    private(set) var nextArm: Int64 = 1

    /// Timers that wait.
    var count: Int { slots.count - free.count }

    /// The earliest deadline; nil when nothing waits.
    @inline(__always)
    var firstDeadline: Int64? { heap.first?.deadline }

    mutating func arm(at deadline: Int64, _ timer: Timer) -> Handle {
        let arm = nextArm
        nextArm &+= 1
        return insert(deadline, timer, arm)
    }

    /// Puts a timer back as it was in a snapshot: with its old arm number, which decides the order among equals.
    mutating func restore(at deadline: Int64, _ timer: Timer, arm: Int64) -> Handle {
        let arm = min(max(arm, 1), Self.maximumArm)
        nextArm = max(nextArm, arm + 1)
        return insert(deadline, timer, arm)
    }

    mutating func reserve(nextArm next: Int64) { nextArm = max(nextArm, min(next, Self.maximumArm)) }

    /// Arm numbers of a snapshot are cut to this, so that a forged one cannot make them run out.
    static let maximumArm: Int64 = 1 << 53

    /// Stops the timer; does nothing for `.none` and for one that has run. `handle` is spent.
    mutating func cancel(_ handle: inout Handle) {
        let slot = Int(handle.slot)
        handle = .none
        guard slots.indices.contains(slot), slots[slot].arm != 0 else { return }
        release(slot)
        dropDead()
        if heap.count > 64, heap.count > 4 * count { compact() }
    }

    /// Takes out the first timer.
    mutating func popFirst() -> (deadline: Int64, timer: Timer)? {
        guard let top = heap.first else { return nil }
        let timer = slots[Int(top.slot)].timer
        release(Int(top.slot))
        dropDead()
        return (top.deadline, timer)
    }

    /// Deadlines of the timers that wait, the earliest first.
    var pending: [(deadline: Int64, timer: Timer)] {
        heap.filter(isAlive).sorted(by: <).map { ($0.deadline, slots[Int($0.slot)].timer) }
    }

    /// Deadline, arm number and lateness by slot: one pass for a whole snapshot.
    var bySlot: [(deadline: Int64, arm: Int64, late: Int64)?] {
        var found = [(deadline: Int64, arm: Int64, late: Int64)?](repeating: nil, count: slots.count)
        for entry in heap where isAlive(entry) {
            found[Int(entry.slot)] = (entry.deadline, entry.arm, slots[Int(entry.slot)].timer.late)
        }
        return found
    }

    // MARK: Inside

    private func isAlive(_ entry: Entry) -> Bool { slots[Int(entry.slot)].arm == entry.arm }

    private mutating func insert(_ deadline: Int64, _ timer: Timer, _ arm: Int64) -> Handle {
        let slot: Int32
        if let reused = free.popLast() {
            slot = reused
            slots[Int(slot)] = Slot(arm: arm, timer: timer)
        } else {
            slot = Int32(slots.count)
            slots.append(Slot(arm: arm, timer: timer))
        }
        heap.append(Entry(deadline: deadline, arm: arm, rule: timer.rule, slot: slot))
        rise(heap.count - 1)
        return Handle(slot: slot)
    }

    private mutating func release(_ slot: Int) {
        slots[slot].arm = 0
        free.append(Int32(slot))
    }

    private mutating func dropDead() {
        while let top = heap.first, !isAlive(top) {
            let last = heap.removeLast()
            if !heap.isEmpty {
                heap[0] = last
                sink(0)
            }
        }
    }

    private mutating func compact() {
        heap = heap.filter(isAlive)
        var parent = heap.count / 2
        while parent > 0 {
            parent -= 1
            sink(parent)
        }
    }

    private mutating func rise(_ from: Int) {
        var child = from
        let entry = heap[child]
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry < heap[parent] else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    private mutating func sink(_ from: Int) {
        var parent = from
        let entry = heap[parent]
        while true {
            var child = 2 * parent + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < entry else { break }
            heap[parent] = heap[child]
            parent = child
        }
        heap[parent] = entry
    }
}
