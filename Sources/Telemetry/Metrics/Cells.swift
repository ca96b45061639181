import Synchronization

/// A counter's place: any thread may add, without a lock and without looking anything up.
public final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    init() {}
    public func add(_ amount: Int = 1) { count.add(max(0, amount), ordering: .relaxed) }
    var value: Double { Double(count.load(ordering: .relaxed)) }
}

/// A gauge's place.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)
    init() {}
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    public func set(_ value: Int) { set(Double(value)) }
    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// A histogram's place.
public final class Histogram: Sendable {
    struct Reading {
        /// By bucket, not cumulative; the last is for all beyond the bounds.
        var counts: [Int]
        var sum: Double
    }

    private let bounds: [Double]
    private let reading: Mutex<Reading>

    init(_ bounds: [Double]) {
        self.bounds = bounds
        reading = Mutex(Reading(counts: [Int](repeating: 0, count: bounds.count + 1), sum: 0))
    }

    public func observe(_ value: Double) {
        let place = bounds.firstIndex { value <= $0 } ?? bounds.count
        reading.withLock {
            $0.counts[place] += 1
            $0.sum += value
        }
    }

    var value: Reading { reading.withLock { $0 } }
}
