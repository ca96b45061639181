/// What was found of one lane on one topic.
public struct Stream: Hashable, Sendable {
    /// Findings that are kept of each fault; the others are counted.
    static let examplesOfAFault = 5

    public let topic: String
    /// `{store}/{lane}`; empty for messages that do not say whose they are.
    public let lane: String
    public let isCompacted: Bool

    public internal(set) var ledger = SequenceLedger()
    /// Records read, tombstones and repeats with them.
    public internal(set) var records: Int64 = 0
    /// The same message again.
    public internal(set) var repeats: Int64 = 0
    /// A sequence again, too long after the first to say whether it was the same message.
    public internal(set) var repeatsUnchecked: Int64 = 0
    /// Lower than the first that was read.
    public internal(set) var beforeFirst: Int64 = 0
    /// Came below younger ones of another partition.
    public internal(set) var acrossPartitions: Int64 = 0
    /// Messages that stand for one that no broker took.
    public internal(set) var withheld: Int64 = 0
    /// Messages that tell of dropped ones.
    public internal(set) var dropNotices: Int64 = 0
    /// Records without value on a compacted topic.
    public internal(set) var tombstones: Int64 = 0
    /// Reached the log later than the bound after they were recorded.
    public internal(set) var late: Int64 = 0
    /// Milliseconds from recorded to the log, the longest.
    public internal(set) var longestDelay: Int64 = 0
    /// Interventions whose timer fired late, by their own word.
    public internal(set) var lateTimers: Int64 = 0
    /// Milliseconds, the latest of those.
    public internal(set) var latestTimer: Int64 = 0
    /// Of a compacted topic: the last place in the log.
    public internal(set) var lastSeen: SequenceLedger.Place?

    private var counts = [Int64](repeating: 0, count: Fault.allCases.count)
    /// The first of each fault, in the order of the log.
    public private(set) var findings: [Finding] = []
    var chain = AuditChain()

    init(topic: String, lane: String, isCompacted: Bool) {
        self.topic = topic
        self.lane = lane
        self.isCompacted = isCompacted
    }

    mutating func add(_ fault: Fault, _ record: SeenRecord, _ text: @autoclosure () -> String) {
        let place = Self.places[fault] ?? 0
        counts[place] += 1
        guard counts[place] <= Self.examplesOfAFault else { return }
        findings.append(
            Finding(fault: fault, partition: record.partition, offset: record.offset, text: text()))
    }

    private static let places: [Fault: Int] = Dictionary(
        uniqueKeysWithValues: Fault.allCases.enumerated().map { ($0.element, $0.offset) })

    /// How many messages have `fault`; of `missing` how many are missing, of `split` and `stale` 1 or 0.
    public func count(_ fault: Fault) -> Int64 {
        switch fault {
        case .missing: isCompacted ? 0 : ledger.missing
        case .split: ledger.partitions.count > 1 ? 1 : 0
        case .stale:
            if isCompacted, let last = ledger.last, let lastSeen, lastSeen < last { 1 } else { 0 }
        default: counts[Self.places[fault] ?? 0]
        }
    }

    public var isClean: Bool { Fault.allCases.allSatisfy { count($0) == 0 } }

    /// Nothing at all has to be said beyond how many there are.
    public var isQuiet: Bool {
        isClean && repeats + repeatsUnchecked + beforeFirst + withheld + dropNotices + ledger.told + late == 0
            && ledger.epochs.count < 2
    }
}
