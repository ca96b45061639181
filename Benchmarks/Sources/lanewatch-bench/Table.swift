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

    func show() {
        print("\n### \(title)\n")
        print("| " + head.joined(separator: " | ") + " |")
        print("|" + String(repeating: "---|", count: head.count))
        for row in rows { print("| " + row.joined(separator: " | ") + " |") }
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
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    let scaled = (value * factor).rounded() / factor
    return digits == 0 ? String(Int(scaled)) : "\(scaled)"
}

func thousands(_ value: Double) -> String { value >= 1e6 ? round(value / 1e6, 2) + " M" : round(value / 1e3, 1) + " k" }
