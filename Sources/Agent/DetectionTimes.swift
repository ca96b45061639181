import Loop

/// How long detections took, from the receipt of a signal (or a timer's deadline) until the change was on disk.
@LoopActor final class DetectionTimes {
    /// Upper bounds in seconds; above the last one is one more bucket.
    nonisolated static let bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

    private(set) var counts = [Int](repeating: 0, count: DetectionTimes.bounds.count + 1)
    private(set) var sum = 0.0

    nonisolated init() {}

    func add(_ seconds: Double) {
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        sum += seconds
    }
}
