/// Instances of one rule by key, in the order they came in. Every operation is O(1); places stay valid until removed.
///
/// The dictionary is only ever asked for one key, never walked: order comes from the links alone.
struct KeyedTable<Value: Sendable>: Sendable {
    private struct Slot: Sendable {
        var key: InstanceKey
        /// Nil when free, so that what it held is let go.
        var value: Value?
        var previous: Int32
        var next: Int32
    }

    private var slots: [Slot] = []
    private var free: [Int32] = []
    private var index: [InstanceKey: Int32] = [:]
    /// The place of `InstanceKey.lane`, or -1: most rules have no key and need no hash.
    private var lanePlace: Int32 = -1
    private var head: Int32 = -1
    private var tail: Int32 = -1
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The place of the one that came first; nil when empty.
    var first: Int? { head < 0 ? nil : Int(head) }

    /// The place that follows `place` in order.
    func next(after place: Int) -> Int? {
        let next = slots[place].next
        return next < 0 ? nil : Int(next)
    }

    func find(_ key: InstanceKey) -> Int? {
        if key.count == 0 { return lanePlace < 0 ? nil : Int(lanePlace) }
        guard count > 0, let place = index[key] else { return nil }
        return Int(place)
    }

    func key(at place: Int) -> InstanceKey { slots[place].key }

    subscript(place: Int) -> Value? {
        get { slots.indices.contains(place) ? slots[place].value : nil }
        _modify { yield &slots[place].value }
    }

    /// Adds `value` as the last; `key` must not be here yet.
    @discardableResult
    mutating func append(_ key: InstanceKey, _ value: Value) -> Int {
        let place: Int
        let slot = Slot(key: key, value: value, previous: tail, next: -1)
        if let reused = free.popLast() {
            place = Int(reused)
            slots[place] = slot
        } else {
            place = slots.count
            slots.append(slot)
        }
        if tail >= 0 { slots[Int(tail)].next = Int32(place) } else { head = Int32(place) }
        tail = Int32(place)
        if key.count == 0 { lanePlace = Int32(place) } else { index[key] = Int32(place) }
        count += 1
        return place
    }

    @discardableResult
    mutating func remove(at place: Int) -> Value? {
        guard slots.indices.contains(place), let value = slots[place].value else { return nil }
        unlink(place)
        let key = slots[place].key
        if key.count == 0 { lanePlace = -1 } else { index[key] = nil }
        slots[place].value = nil
        slots[place].key = .lane
        free.append(Int32(place))
        count -= 1
        return value
    }

    /// Makes the instance the last in order.
    mutating func moveToEnd(_ place: Int) {
        guard tail != Int32(place) else { return }
        unlink(place)
        slots[place].previous = tail
        slots[place].next = -1
        if tail >= 0 { slots[Int(tail)].next = Int32(place) } else { head = Int32(place) }
        tail = Int32(place)
    }

    /// Keeps the memory of a small table, which will be filled again; gives back that of a large one.
    mutating func removeAll() {
        guard count > 0 else { return }
        guard slots.count <= 64 else {
            self = KeyedTable()
            return
        }
        slots.removeAll(keepingCapacity: true)
        free.removeAll(keepingCapacity: true)
        if !index.isEmpty { index.removeAll(keepingCapacity: true) }
        (lanePlace, head, tail, count) = (-1, -1, -1, 0)
    }

    /// In order.
    func forEach(_ body: (InstanceKey, Value) -> Void) {
        var place = head
        while place >= 0 {
            let slot = slots[Int(place)]
            if let value = slot.value { body(slot.key, value) }
            place = slot.next
        }
    }

    private mutating func unlink(_ place: Int) {
        let (previous, next) = (slots[place].previous, slots[place].next)
        if previous >= 0 { slots[Int(previous)].next = next } else { head = next }
        if next >= 0 { slots[Int(next)].previous = previous } else { tail = previous }
    }
}
