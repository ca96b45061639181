import Foundation
import Telemetry
import Testing

/// The reference page of the metrics is the table. `make generate` writes it.
@Suite struct GeneratedMetricsTests {
    @Test func thePageIsTheTable() throws {
        let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let url = repository.appending(path: "docs/reference/metrics.md")
        if ProcessInfo.processInfo.environment["LANEWATCH_GENERATE"] != nil {
            try Metric.reference().write(to: url, atomically: true, encoding: .utf8)
        }
        let stands = try String(contentsOf: url, encoding: .utf8)
        #expect(
            stands == Metric.reference(), "docs/reference/metrics.md is not what the table says; run `make generate`")
    }
}
