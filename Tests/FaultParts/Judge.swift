/// What a run must have led to, and what the fault itself takes away.
public struct Allowance: Sendable {
    /// How often an agent was killed, or a producer made anew: each may send again what was on its way.
    public var resends = 0
    /// The most that are on their way at once.
    public var window = 2000
    /// Whether every intervention must have ended too; not where the engine's memory was taken away.
    public var judgesClears = true
    /// Whether messages must stand in the log in their order; not where the brokers take what is behind a request that they refused.
    public var judgesArrival = true
    /// A new database begins a new epoch.
    public var mostEpochs = 1
    /// Numbers that a file set aside holds: not lost, an operator can have them.
    public var setAside: Set<Int> = []
    /// Numbers in messages that no broker takes: whole in the quarantine, each with a tombstone in its place.
    public var withheld: Set<Int> = []
    /// Of a topic that was deleted what the brokers had acknowledged is gone with it: judged from the next one on.
    public var from: Position?

    public struct Position: Hashable, Sendable, Comparable {
        public var epoch: Int
        public var seq: Int
        public init(epoch: Int, seq: Int) {
            self.epoch = epoch
            self.seq = seq
        }
        public static func < (a: Position, b: Position) -> Bool { (a.epoch, a.seq) < (b.epoch, b.seq) }
    }

    public init() {}
}

/// A topic's log compared with the ledger.
public struct Verdict: Codable, Hashable, Sendable {
    public var answered = 0
    public var records = 0
    /// Answered signals without their effect.
    public var lost = 0
    /// Records that came again with an id that was there before.
    public var doubledBefore = 0
    /// Of these, more than what the faults explain: one producer never doubles.
    public var unexplained = 0
    /// Effects that are there twice although each id is taken once, and sequence numbers that two ids share.
    public var doubledAfter = 0
    /// First appearances that stand behind one that comes after them.
    public var reordered = 0
    /// Sequence numbers that are missing, and no message tells of them.
    public var gaps = 0
    /// Of those that are missing, how many a message in the stream tells of.
    public var told = 0
    public var epochs = 0
    /// More epochs than the fault explains.
    public var strangeEpochs = 0
    public var setAside = 0
    public var withheld = 0
    /// The first of each kind, for whoever looks for the cause.
    public var examples: [String] = []

    public init() {}

    public var isClean: Bool {
        lost == 0 && doubledAfter == 0 && reordered == 0 && gaps == 0 && unexplained == 0 && strangeEpochs == 0
    }
}

public enum Judge {
    /// - Parameters:
    ///   - records: the log in the order of each partition's offsets.
    ///   - answered: the ledger's answered numbers.
    public static func verdict(_ records: [Record], answered: [Int], _ allowance: Allowance) -> Verdict {
        var verdict = Verdict()
        verdict.answered = answered.count
        verdict.records = records.count
        let firsts = firstAppearances(records)
        verdict.doubledBefore = records.count - firsts.count
        verdict.unexplained = max(0, verdict.doubledBefore - allowance.resends * allowance.window)
        if verdict.unexplained > 0 { verdict.note("\(verdict.doubledBefore) doubled, \(allowance.resends) resends") }
        judgeOrder(firsts, allowance, &verdict)
        judgeSequences(records, allowance, &verdict)
        judgeEffects(firsts, answered, allowance, &verdict)
        return verdict
    }

    /// By (source, id).
    public static func firstAppearances(_ records: [Record]) -> [Record] {
        var seen: Set<[String]> = []
        return records.filter { seen.insert([$0.source, $0.id]).inserted }
    }

    private static func judgeOrder(_ firsts: [Record], _ allowance: Allowance, _ verdict: inout Verdict) {
        var highest: [Int: Record] = [:]
        var known: Set<Allowance.Position> = []
        for record in firsts where allowance.judgesArrival {
            if !known.insert(record.position).inserted, record.standsIn { continue }
            if let before = highest[record.partition], record.position < before.position {
                verdict.reordered += 1
                verdict.note("offset \(record.offset): \(record.position) stands behind \(before.position)")
            } else {
                highest[record.partition] = record
            }
        }
        // The sequence itself must be the order in which the signals were written.
        var last = 0
        for record in firsts.sorted(by: { $0.position < $1.position }) {
            guard record.kind == .raised, let number = record.number else { continue }
            if number < last {
                verdict.reordered += 1
                verdict.note("signal \(number) has its place behind signal \(last)")
            }
            last = max(last, number)
        }
    }

    /// Over all records: one that comes again with a new number has not left a gap.
    private static func judgeSequences(_ records: [Record], _ allowance: Allowance, _ verdict: inout Verdict) {
        var ids: [Allowance.Position: String] = [:]
        var positions: [String: Allowance.Position] = [:]
        var highest: [Int: Int] = [:]
        for record in records {
            // A lane that never heard of its message's arrival drops or withholds it afterwards: that counts as a repeat.
            if record.standsIn, let other = ids[record.position], other != record.id { continue }
            if let other = ids.updateValue(record.id, forKey: record.position), other != record.id {
                verdict.doubledAfter += 1
                verdict.note("\(record.position) is the sequence of \(other) and of \(record.id)")
            }
            let first = positions[record.id, default: record.position]
            positions[record.id] = first
            // An engine that was set back says again what it said, with the same id, in the new epoch.
            if first != record.position, first.epoch == record.epoch || allowance.mostEpochs == 1 {
                verdict.doubledAfter += 1
                verdict.note("\(record.id) has the sequences \(first) and \(record.position)")
            }
            highest[record.epoch] = max(highest[record.epoch] ?? 0, record.seq)
        }
        let told = records.compactMap { record in record.told.map { (epoch: record.epoch, range: $0) } }
        verdict.epochs = highest.count
        verdict.strangeEpochs = max(0, highest.count - allowance.mostEpochs)
        if verdict.strangeEpochs > 0 { verdict.note("epochs \(highest.keys.sorted())") }
        for (epoch, last) in highest {
            var first = 1
            if let from = allowance.from, from.epoch == epoch { first = from.seq }
            for seq in stride(from: first, through: last, by: 1)
            where ids[Allowance.Position(epoch: epoch, seq: seq)] == nil {
                if told.contains(where: { $0.epoch == epoch && $0.range.contains(seq) }) {
                    verdict.told += 1
                    continue
                }
                verdict.gaps += 1
                verdict.note("\(Allowance.Position(epoch: epoch, seq: seq)) is missing")
            }
        }
    }

    private static func judgeEffects(
        _ firsts: [Record], _ answered: [Int], _ allowance: Allowance, _ verdict: inout Verdict
    ) {
        var raised: [Int: Int] = [:]
        var cleared: [Int: Int] = [:]
        for record in firsts {
            guard let number = record.number else { continue }
            if record.kind == .raised { raised[number, default: 0] += 1 }
            if record.kind == .cleared { cleared[number, default: 0] += 1 }
        }
        for (number, times) in raised.merging(cleared, uniquingKeysWith: max) where times > 1 {
            verdict.doubledAfter += times - 1
            verdict.note("signal \(number) has its effect \(times) times")
        }
        // What a deleted topic took along is told by the sequence; what was raised after it must be whole.
        let judgedFrom = allowance.from == nil ? 0 : raised.keys.min() ?? 0
        for number in answered where number >= judgedFrom {
            if raised[number] != nil, cleared[number] != nil || !allowance.judgesClears { continue }
            if allowance.setAside.contains(number) {
                verdict.setAside += 1
            } else if allowance.withheld.contains(number) {
                verdict.withheld += 1
            } else {
                verdict.lost += 1
                verdict.note("signal \(number) has no \(raised[number] == nil ? "effect" : "end")")
            }
        }
    }
}

extension Record {
    public var position: Allowance.Position { Allowance.Position(epoch: epoch, seq: seq) }
}

extension Allowance.Position: CustomStringConvertible {
    public var description: String { "\(epoch)/\(seq)" }
}

extension Verdict {
    mutating func note(_ text: String) { if examples.count < 12 { examples.append(text) } }
}
