import CMalloc
import Lane
import Rules

/// What the engine keeps: the compiled rules and all it remembers, as the allocator counts it.
enum RuleMemory {
    /// Bytes that are allocated and not freed, of all arenas, with mapped blocks. Source: mallinfo(3).
    private static var used: Int {
        let info = mallinfo2()
        return Int(info.uordblks) + Int(info.hblkhd)
    }

    private struct Course {
        /// The engine with its table, before the first signal.
        var built = 0
        /// After each tenth of the stream: the most that was seen in it.
        var tenths: [Int] = []
        var most: Int { max(built, tenths.max() ?? 0) }
    }

    static func run(rules folder: String, _ targets: inout Targets) {
        var table = Table(
            "Rules: memory of the engine with its table, KiB",
            ["rules", "signals", "before the first", "most", "most in the first tenth", "most in the last"])
        func measured(_ name: String, _ signals: Int, _ set: () -> RuleSet?) -> Course {
            let course = course(signals, set)
            table.add(
                name, "\(signals)", kilobytes(course.built), kilobytes(course.most),
                kilobytes(course.tenths.first ?? 0), kilobytes(course.tenths.last ?? 0))
            return course
        }
        let shipped = measured("shipped", 10_000_000) { BenchmarkRules.shipped(folder) }
        let more = measured("shipped, and 1000 that never match", 1_000_000) {
            BenchmarkRules.shipped(folder, more: 1000)
        }
        let waiting = measured("1000 that each wait for each payment", 100_000) { BenchmarkRules.allWaiting(1000) }
        table.show()

        targets.add(
            "small: at most 2 MiB with the shipped rules", kilobytes(shipped.most) + " KiB", shipped.most <= 2 << 20)
        let most = max(more.most, waiting.most)
        targets.add(
            "small: at most 16 MiB with 1000 rules",
            "\(kilobytes(more.most)) KiB; where all wait \(kilobytes(waiting.most)) KiB", most <= 16 << 20)
        let first = shipped.tenths.first ?? 0
        let later = shipped.tenths.dropFirst().max() ?? .max
        targets.add(
            "small: no growth over 10^7 signals",
            "most in the first 10^6 \(kilobytes(first)) KiB, after that \(kilobytes(later)) KiB",
            later <= first + first / 50)
    }

    private static func kilobytes(_ bytes: Int) -> String { round(Double(bytes) / 1024, 0) }

    private static func course(_ signals: Int, _ set: () -> RuleSet?) -> Course {
        var course = Course()
        var stream = LaneStream(troubles: [.declines, .lateAnswers, .idleBaskets])
        var customer: [StampedSignal] = []
        customer.reserveCapacity(256)
        course.tenths.reserveCapacity(10)
        let before = used
        // The set itself is let go: the agent keeps a table of it alone.
        guard let table = set().map({ BenchmarkRules.table($0) }) else { return course }
        var engine = RuleEngine(table: table)
        course.built = used - before
        var done = 0
        for tenth in 1...10 {
            var most = 0
            while done < signals / 10 * tenth {
                customer.removeAll(keepingCapacity: true)
                stream.appendCustomer(to: &customer)
                for signal in customer { _ = engine.step(signal) }
                done += customer.count
                customer.removeAll(keepingCapacity: true)
                most = max(most, used - before)
            }
            course.tenths.append(most)
        }
        return course
    }
}
