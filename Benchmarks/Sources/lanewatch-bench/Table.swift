import Glibc

/// Rows of figures beside their targets, printed as Markdown.
struct Table {
    let title: String
    let head: [String]
    var rows: [[String]] = []

    init(_ title: String, _ head: [String]) {
        self.title = title
        self.head = head
    }

    mutating func add(_ cells: String...) { rows.append(cells) }
    mutating func add(_ cells: [String]) { rows.append(cells) }

    func show() {
        print("\n### \(title)\n")
        print("| " + head.joined(separator: " | ") + " |")
        print("|" + String(repeating: "---|", count: head.count))
        for row in rows { print("| " + row.joined(separator: " | ") + " |") }
        fflush(nil)  // The next table takes minutes.
    }
}

/// Targets, each with what was found and whether that holds.
struct Targets {
    private var table: Table

    init(_ title: String) { table = Table(title, ["target", "figure", ""]) }

    mutating func add(_ target: String, _ figure: String, _ holds: Bool) {
        table.add(target, figure, holds ? "holds" : "**does not hold**")
    }

    func show() { table.show() }
}

/// The calling thread's own time on a processor. Source: clock_gettime(2), CLOCK_THREAD_CPUTIME_ID.
enum ThreadClock {
    static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

/// Figures of one measurement, in the order they were taken.
struct Samples {
    var values: [Double] = []

    mutating func add(_ value: Double) { values.append(value) }

    /// The value below which `part` of the samples lie; 0.5 is the median.
    func quantile(_ part: Double) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        return sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
    }

    var median: Double { quantile(0.5) }
}

func round(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "–" }
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    let scaled = (value * factor).rounded() / factor
    return digits == 0 ? String(Int(scaled)) : "\(scaled)"
}

func thousands(_ value: Double) -> String {
    value >= 1e6 ? round(value / 1e6, 2) + " M" : value >= 1e3 ? round(value / 1e3, 1) + " k" : round(value, 0)
}
