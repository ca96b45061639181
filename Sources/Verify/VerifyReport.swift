import Lane

/// What a verification found, for people and for tools.
public struct VerifyReport {
    public let streams: [Stream]
    public let records: Int64
    public let overflow: Int64
    /// Repeats count as faults.
    public let isStrict: Bool

    public init(_ verifier: Verifier, isStrict: Bool = false) {
        // A lane that was asked for and is not there is for the caller to say.
        streams = verifier.streams.sorted { ($0.topic, $0.lane) < ($1.topic, $1.lane) }
        records = verifier.records
        overflow = verifier.overflow
        self.isStrict = isStrict
    }

    public var isClean: Bool {
        overflow == 0 && streams.allSatisfy(\.isClean) && !(isStrict && repeats > 0)
    }

    private var repeats: Int64 { sum { $0.repeats + $0.repeatsUnchecked } }

    /// Over all streams, at most what 64 bits hold: a topic that nobody guards may miss 10^14 messages of each lane.
    private func sum(_ count: (Stream) -> Int64) -> Int64 {
        streams.reduce(0) { total, stream in
            let (sum, overflows) = total.addingReportingOverflow(count(stream))
            return overflows ? .max : sum
        }
    }
    private var lanes: Int { Set(streams.map(\.lane).filter { !$0.isEmpty }).count }
    private var topics: Int { Set(streams.map(\.topic)).count }

    // MARK: For people

    public static let columns = [
        "topic", "lane", "first", "last", "messages", "missing", "repeats", "order", "faults", "notes",
    ]
    /// Those of numbers.
    public static let numeric: Set<Int> = [4, 5, 6, 7, 8]

    /// A row for each stream that has to be said something of; of up to `quiet` streams all have one.
    public func rows(quiet: Int = 40) -> [[String]] {
        let shown = streams.count <= quiet ? streams : streams.filter { !isGood($0) || !$0.isQuiet }
        return shown.map { stream in
            let other = Fault.allCases.filter { $0 != .missing && $0 != .order }.reduce(0) { $0 + stream.count($1) }
            return [
                stream.topic, stream.lane.isEmpty ? "-" : stream.lane, stream.ledger.first?.text ?? "-",
                stream.ledger.last?.text ?? "-", String(stream.ledger.messages), String(stream.count(.missing)),
                String(stream.repeats + stream.repeatsUnchecked), String(stream.count(.order)), String(other),
                notes(stream).joined(separator: ", "),
            ]
        }
    }

    private func isGood(_ stream: Stream) -> Bool {
        stream.isClean && !(isStrict && stream.repeats + stream.repeatsUnchecked > 0)
    }

    /// What is told of a stream and is no fault.
    private func notes(_ stream: Stream) -> [String] {
        var notes: [String] = []
        let epochs = stream.ledger.epochs
        if let first = epochs.first, first.first > 1, !stream.isCompacted { notes.append("begins at \(first.first)") }
        for (former, next) in zip(epochs, epochs.dropFirst()) {
            notes.append("epoch \(next.number) after \(former.number):\(former.last)")
        }
        func add(_ count: Int64, _ words: String) { if count > 0 { notes.append("\(count) \(words)") } }
        add(stream.ledger.told, "dropped as told")
        add(stream.withheld, "withheld")
        add(stream.beforeFirst, "from before the first")
        add(stream.acrossPartitions, "from another partition")
        add(stream.tombstones, "tombstones")
        add(stream.late, "late, the longest by \(Self.length(stream.longestDelay))")
        add(stream.lateTimers, "by late timers, the latest by \(Self.length(stream.latestTimer))")
        return notes
    }

    static func length(_ milliseconds: Int64) -> String {
        switch milliseconds {
        case ..<1000: "\(milliseconds) ms"
        case ..<120_000: "\(milliseconds / 1000) s"
        case ..<7_200_000: "\(milliseconds / 60_000) min"
        case ..<172_800_000: "\(milliseconds / 3_600_000) h"
        default: "\(milliseconds / 86_400_000) d"
        }
    }

    /// What is wrong, a line each, the first few of each kind and stream; at most `limit` lines.
    public func faults(limit: Int = 100) -> [String] {
        var lines: [String] = []
        for stream in streams where !stream.isClean {
            let name = "\(stream.topic) \(stream.lane.isEmpty ? "(no lane)" : stream.lane)"
            lines += Self.gaps(of: stream).map { "\(name): \($0)" }
            if stream.count(.split) > 0 {
                let partitions = stream.ledger.partitions.sorted().map(String.init).joined(separator: ", ")
                lines.append("\(name): on partitions \(partitions): where these were added, order between them is lost")
            }
            if stream.count(.stale) > 0, let seen = stream.lastSeen, let last = stream.ledger.last {
                lines.append("\(name): ends on \(seen.text), which is older than \(last.text)")
            }
            for finding in stream.findings {
                lines.append("\(name): \(finding.text) (partition \(finding.partition), offset \(finding.offset))")
            }
            for fault in Fault.allCases where ![.missing, .split, .stale].contains(fault) {
                let more = stream.count(fault) - Int64(Stream.examplesOfAFault)
                if more > 0 { lines.append("\(name): and \(more) more like this: \(fault.words.many)") }
            }
        }
        if overflow > 0 { lines.append("too many lanes: \(overflow) messages were not looked at") }
        guard lines.count > limit else { return lines }
        return lines.prefix(limit) + ["and \(lines.count - limit) lines more: --json tells them all"]
    }

    private static func gaps(of stream: Stream) -> [String] {
        guard !stream.isCompacted else { return [] }
        var lines: [String] = []
        for epoch in stream.ledger.epochs where epoch.missing > 0 {
            for gap in epoch.gaps.prefix(Stream.examplesOfAFault) {
                let count = gap.upperBound - gap.lowerBound + 1
                lines.append(
                    count == 1
                        ? "\(epoch.number):\(gap.lowerBound) is missing"
                        : "\(epoch.number):\(gap.lowerBound) to \(gap.upperBound) are missing, \(count) messages")
            }
            let more = epoch.gaps.count - Stream.examplesOfAFault + epoch.gapsGivenUp
            if more > 0 { lines.append("and \(more) more gaps in epoch \(epoch.number)") }
        }
        return lines
    }

    /// One sentence that can be read aloud.
    public var summary: String {
        let of =
            "\(records) records of \(lanes) lane\(lanes == 1 ? "" : "s") on \(topics) topic\(topics == 1 ? "" : "s")"
        guard !isClean else {
            if records == 0 { return "clean: there is nothing to verify" }
            return "clean: \(of): every sequence is there, in order, and well formed" + told
        }
        var parts: [String] = []
        for fault in Fault.allCases {
            let count = sum { $0.count(fault) }
            if count > 0 { parts.append("\(count) \(count == 1 ? fault.words.one : fault.words.many)") }
        }
        if isStrict, repeats > 0 { parts.append("\(repeats) came again") }
        if overflow > 0 { parts.append("\(overflow) were not looked at") }
        return "not clean: of \(of), " + parts.joined(separator: ", ") + told
    }

    private var told: String {
        var parts: [String] = []
        func add(_ count: Int64, _ words: String) { if count > 0 { parts.append("\(count) \(words)") } }
        if !isStrict { add(repeats, "came again, which consumers drop by id") }
        add(sum { $0.ledger.told }, "were dropped, as the lane has told")
        add(sum { $0.withheld }, "withheld")
        add(sum { $0.late }, "came late")
        return parts.isEmpty ? "" : "; " + parts.joined(separator: ", ")
    }

    // MARK: For tools

    /// A JSON object a stream, and one for the whole.
    public func write(to json: inout JSONWriter) {
        for stream in streams {
            json.object { json in Self.write(stream, &json) }
            json.endLine()
        }
        json.object { json in
            json.member("clean", isClean)
            json.member("records", records)
            json.member("lanes", lanes)
            json.member("topics", topics)
            if overflow > 0 { json.member("overflow", overflow) }
            json.name("faults")
            json.object { json in
                for fault in Fault.allCases {
                    let count = sum { $0.count(fault) }
                    if count > 0 { json.member(fault.rawValue, count) }
                }
            }
            json.member("summary", summary)
        }
        json.endLine()
    }

    private static func write(_ stream: Stream, _ json: inout JSONWriter) {
        json.member("topic", stream.topic)
        json.member("lane", orNull: stream.lane.isEmpty ? nil : stream.lane)
        json.member("clean", stream.isClean)
        json.member("records", stream.records)
        json.member("messages", stream.ledger.messages)
        json.member("first", orNull: stream.ledger.first?.text)
        json.member("last", orNull: stream.ledger.last?.text)
        json.name("partitions")
        json.array { json in for one in stream.ledger.partitions.sorted() { json.value(Int64(one)) } }
        json.name("epochs")
        json.array { json in
            for epoch in stream.ledger.epochs {
                json.object { json in
                    json.member("epoch", epoch.number)
                    json.member("first", epoch.first)
                    json.member("last", epoch.last)
                    json.member("messages", epoch.messages)
                    json.member("missing", stream.isCompacted ? 0 : epoch.missing)
                    json.member("told", epoch.told)
                    guard !stream.isCompacted else { return }
                    json.name("gaps")
                    json.array { json in
                        for gap in epoch.gaps {
                            json.array { json in
                                json.value(gap.lowerBound)
                                json.value(gap.upperBound)
                            }
                        }
                    }
                }
            }
        }
        for (name, count) in [
            ("repeats", stream.repeats), ("repeatsUnchecked", stream.repeatsUnchecked),
            ("beforeFirst", stream.beforeFirst), ("acrossPartitions", stream.acrossPartitions),
            ("withheld", stream.withheld), ("dropNotices", stream.dropNotices), ("tombstones", stream.tombstones),
            ("late", stream.late), ("longestDelayMilliseconds", stream.longestDelay),
            ("lateTimers", stream.lateTimers), ("latestTimerMilliseconds", stream.latestTimer),
        ] {
            json.member(name, count)
        }
        json.name("faults")
        json.object { json in
            for fault in Fault.allCases where stream.count(fault) > 0 {
                json.member(fault.rawValue, stream.count(fault))
            }
        }
        json.name("findings")
        json.array { json in
            for finding in stream.findings {
                json.object { json in
                    json.member("fault", finding.fault.rawValue)
                    json.member("partition", Int64(finding.partition))
                    json.member("offset", finding.offset)
                    json.member("text", finding.text)
                }
            }
        }
    }
}
