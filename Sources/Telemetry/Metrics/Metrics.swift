import Lane
import Loop
import Synchronization

/// The agent's metrics: cells that are counted in, and closures that are asked at each scrape.
///
/// Take a cell once and keep it: `let raised = metrics.counter(.interventions, "payment-timeout", "raise")`.
public final class Metrics: Sendable {
    private enum Cell: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
    }

    private let table: [Metric]
    private let cells: Mutex<[[[String]: Cell]]>
    private let places: [String: Int]
    @LoopActor private var collectors: [@LoopActor (inout Scrape) -> Void] = []

    /// Series of one metric; more are counted together under the label value `other`.
    public static let seriesLimit = 500

    public init(_ table: [Metric] = Metric.table) {
        self.table = table
        cells = Mutex(Array(repeating: [:], count: table.count))
        places = Dictionary(table.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    }

    public func counter(_ metric: Metric, _ labels: String...) -> Counter {
        if case .counter(let cell) = cell(metric, labels, { .counter(Counter()) }) { return cell }
        return Counter()
    }

    public func gauge(_ metric: Metric, _ labels: String...) -> Gauge {
        if case .gauge(let cell) = cell(metric, labels, { .gauge(Gauge()) }) { return cell }
        return Gauge()
    }

    public func histogram(_ metric: Metric, _ labels: String...) -> Histogram {
        guard case .histogram(let bounds) = metric.kind else {
            assertionFailure("\(metric.name) is no histogram")
            return Histogram([])
        }
        if case .histogram(let cell) = cell(metric, labels, { .histogram(Histogram(bounds)) }) { return cell }
        return Histogram(bounds)
    }

    /// The cell of a series, made at its first use. One that the table does not declare is nobody's: counted, never shown.
    private func cell(_ metric: Metric, _ labels: [String], _ make: () -> Cell) -> Cell? {
        guard let place = places[metric.name], metric.labels.count == labels.count else {
            assertionFailure("\(metric.name) is not declared, or not with these labels")
            return nil
        }
        return cells.withLock { cells in
            if let cell = cells[place][labels] { return cell }
            let isFull = cells[place].count >= Self.seriesLimit && !labels.isEmpty
            let labels = isFull ? labels.map { _ in "other" } : labels
            if let cell = cells[place][labels] { return cell }
            let cell = make()
            cells[place][labels] = cell
            return cell
        }
    }

    /// Asks `collect` at each scrape, on the lane's thread: for what is counted elsewhere already.
    @LoopActor public func onScrape(_ collect: @escaping @LoopActor (inout Scrape) -> Void) {
        collectors.append(collect)
    }

    /// The page in Prometheus text format 0.0.4.
    @LoopActor public func page() -> [UInt8] {
        var scrape = Scrape(table, places)
        for (place, series) in cells.withLock({ $0 }).enumerated() {
            for (labels, cell) in series {
                switch cell {
                case .counter(let counter): scrape.set(table[place], labels, counter.value)
                case .gauge(let gauge): scrape.set(table[place], labels, gauge.value)
                case .histogram(let histogram):
                    let reading = histogram.value
                    scrape.set(table[place], labels, counts: reading.counts, sum: reading.sum)
                }
            }
        }
        for collect in collectors { collect(&scrape) }
        return scrape.page()
    }
}

/// The values of one scrape.
public struct Scrape {
    private enum Value {
        case number(Double)
        case buckets([Int], Double)
    }

    private let table: [Metric]
    private let places: [String: Int]
    private var values: [[[String]: Value]]

    init(_ table: [Metric], _ places: [String: Int]) {
        self.table = table
        self.places = places
        values = Array(repeating: [:], count: table.count)
    }

    public mutating func set(_ metric: Metric, _ labels: [String] = [], _ value: Double) {
        guard let place = place(metric, labels) else { return }
        values[place][labels] = .number(value)
    }

    public mutating func set(_ metric: Metric, _ labels: [String] = [], _ value: Int) {
        set(metric, labels, Double(value))
    }

    /// A histogram that was counted elsewhere: how many per bucket of the metric's bounds, not cumulative, the last for all
    /// beyond them.
    public mutating func set(_ metric: Metric, _ labels: [String] = [], counts: [Int], sum: Double) {
        guard case .histogram(let bounds) = metric.kind, counts.count == bounds.count + 1,
            let place = place(metric, labels)
        else { return assertionFailure("\(metric.name): other buckets than declared") }
        values[place][labels] = .buckets(counts, sum)
    }

    /// What went through a stage.
    public mutating func set(stage: String, _ counts: StageCounts) {
        set(.stageIn, [stage], counts.in)
        set(.stageOut, [stage], counts.out)
        set(.stageHeld, [stage], counts.held)
        for (reason, count) in counts.dropped { set(.stageDropped, [stage, reason], count) }
    }

    private func place(_ metric: Metric, _ labels: [String]) -> Int? {
        guard let place = places[metric.name], metric.labels.count == labels.count else {
            assertionFailure("\(metric.name) is not declared, or not with these labels")
            return nil
        }
        return place
    }

    // MARK: The page

    /// In the order of the table, series in the order of their labels. Source: Prometheus, "Exposition formats".
    func page() -> [UInt8] {
        var text = ""
        for (metric, series) in zip(table, values) where !series.isEmpty {
            text += "# HELP \(metric.name) \(Self.escaped(metric.help, quote: false))\n"
            text += "# TYPE \(metric.name) \(metric.kind.name)\n"
            for (labels, value) in series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                let pairs = zip(metric.labels, labels).map { "\($0)=\"\(Self.escaped($1, quote: true))\"" }
                switch value {
                case .number(let number): text += "\(metric.name)\(Self.braces(pairs)) \(Self.text(number))\n"
                case .buckets(let counts, let sum): text += Self.buckets(metric, pairs, counts, sum)
                }
            }
        }
        return Array(text.utf8)
    }

    private static func buckets(_ metric: Metric, _ pairs: [String], _ counts: [Int], _ sum: Double) -> String {
        guard case .histogram(let bounds) = metric.kind else { return "" }
        var text = ""
        var total = 0
        for (place, count) in counts.enumerated() {
            total += count
            let bound = place < bounds.count ? Self.text(bounds[place]) : "+Inf"
            text += "\(metric.name)_bucket\(braces(pairs + ["le=\"\(bound)\""])) \(total)\n"
        }
        text += "\(metric.name)_sum\(braces(pairs)) \(Self.text(sum))\n"
        return text + "\(metric.name)_count\(braces(pairs)) \(total)\n"
    }

    private static func braces(_ pairs: [String]) -> String {
        pairs.isEmpty ? "" : "{" + pairs.joined(separator: ",") + "}"
    }

    static func text(_ number: Double) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Inf" : "+Inf" }
        if number == number.rounded(), abs(number) < 1e15 { return String(Int64(number)) }
        return String(number)
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        var out = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            case "\"" where quote: out += "\\\""
            default: out.unicodeScalars.append(character)
            }
        }
        return out
    }
}
