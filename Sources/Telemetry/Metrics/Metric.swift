/// A metric as it is declared: its name, what it counts, its labels. The table is `Metric.table`.
public struct Metric: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case counter
        case gauge
        /// With the upper bounds of its buckets, ascending, without infinity.
        case histogram([Double])

        var name: String {
            switch self {
            case .counter: return "counter"
            case .gauge: return "gauge"
            case .histogram: return "histogram"
            }
        }
    }

    /// `lanewatch_<noun>_<unit>`, of a counter with `_total` behind it; units are seconds and bytes.
    public let name: String
    public let kind: Kind
    /// One sentence without a full stop.
    public let help: String
    public let labels: [String]

    public init(_ name: String, _ kind: Kind, _ help: String, labels: [String] = []) {
        self.name = name
        self.kind = kind
        self.help = help
        self.labels = labels
    }

    /// The table as a page of the reference: docs/reference/metrics.md.
    public static func reference(_ table: [Metric] = Metric.table) -> String {
        var text = """
            # Metrics

            What `http://127.0.0.1:9464/metrics` shows, in Prometheus text format 0.0.4. Made from the agent's own table
            (`Sources/Telemetry/Metrics/MetricTable.swift`); a test holds the two equal.

            | metric | type | labels | meaning |
            |---|---|---|---|

            """
        for metric in table {
            let labels = metric.labels.map { "`\($0)`" }.joined(separator: " ")
            text += "| `\(metric.name)` | \(metric.kind.name) | \(labels) | \(metric.help) |\n"
        }
        return text
    }
}
