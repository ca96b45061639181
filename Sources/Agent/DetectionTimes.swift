import Delivery
import Loop

/// How long detections took, from the receipt of a signal (or a timer's deadline) until the change was on disk.
@LoopActor final class DetectionTimes {
    /// Upper bounds in seconds, those of `Metric.detection`; above the last one is one more bucket.
    nonisolated static let bounds = LatencyHistogram.bounds.map { $0 / 1000 }

    private(set) var counts = [Int](repeating: 0, count: DetectionTimes.bounds.count + 1)
    private(set) var sum = 0.0

    nonisolated init() {}

    func add(_ seconds: Double) {
        counts[Self.bounds.firstIndex { seconds <= $0 } ?? Self.bounds.count] += 1
        sum += seconds
    }
}
