/// Deadlines in order of (moment, arming): a binary heap; cancelled ones stay until they surface or are many.
struct DeadlineQueue {
    typealias Action = @LoopActor () -> Void

    private struct Entry {
        let moment: Int64
        let arming: UInt64
    }

    private var heap: [Entry] = []
    private var actions: [UInt64: Action] = [:]
    private var nextArming: UInt64 = 1

    var count: Int { actions.count }

    /// The earliest deadline that still waits.
    var first: Int64? {
        mutating get {
            while let top = heap.first {
                if actions[top.arming] != nil { return top.moment }
                removeTop()
            }
            return nil
        }
    }

    mutating func insert(at moment: Int64, _ action: @escaping Action) -> UInt64 {
        let arming = nextArming
        nextArming += 1
        actions[arming] = action
        heap.append(Entry(moment: moment, arming: arming))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard before(child, parent) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
        return arming
    }

    mutating func remove(_ arming: UInt64) {
        guard actions.removeValue(forKey: arming) != nil else { return }
        if heap.count > 64, heap.count > 4 * actions.count {
            heap = heap.filter { actions[$0.arming] != nil }
            heap.sort { ($0.moment, $0.arming) < ($1.moment, $1.arming) }
        }
    }

    /// What is due at `now`, in order; each is to be taken before it is run, as one before it may cancel it.
    mutating func due(at now: Int64) -> [UInt64] {
        var due: [UInt64] = []
        while let moment = first, moment <= now, let top = heap.first {
            removeTop()
            due.append(top.arming)
        }
        return due
    }

    /// The action of `arming`, taken out; nil where it was cancelled.
    mutating func take(_ arming: UInt64) -> Action? { actions.removeValue(forKey: arming) }

    private mutating func removeTop() {
        heap.swapAt(0, heap.count - 1)
        heap.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && before(child, least) {
                least = child
            }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private func before(_ a: Int, _ b: Int) -> Bool {
        (heap[a].moment, heap[a].arming) < (heap[b].moment, heap[b].arming)
    }
}
