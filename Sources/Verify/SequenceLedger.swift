/// What came of one lane on one topic, by sequence: which are missing, which came twice, which came too late.
///
/// Pure: takes places in the order of the log, keeps gaps and a window of prints, not messages.
public struct SequenceLedger: Hashable, Sendable {
    /// `ce_sequence`, taken apart.
    public struct Place: Hashable, Comparable, Sendable {
        public var epoch: Int64
        public var seq: Int64

        public init(epoch: Int64, seq: Int64) {
            self.epoch = epoch
            self.seq = seq
        }

        public static func < (a: Place, b: Place) -> Bool { (a.epoch, a.seq) < (b.epoch, b.seq) }
    }

    /// What a message is by its place among those before it.
    public enum Arrival: Hashable, Sendable {
        /// The first of the stream, whatever its number.
        case begins
        /// The one that had to come, the first of a new epoch with it.
        case next
        /// It came, but those between did not.
        case opensGap(ClosedRange<Int64>)
        /// It was missing, and comes below one that came before.
        case outOfOrder
        /// As `outOfOrder`, from another partition than the younger ones: their order cannot be told.
        case acrossPartitions
        /// It was there before: the same, another, or nobody knows any more.
        case repeated(isSame: Bool?)
        /// Lower than the first that was seen: what it was to those before nobody knows.
        case beforeFirst
        /// It is the first of its place, in an epoch that was over.
        case staleEpoch
        /// Too much is missing, or there were too many epochs, to tell.
        case undecided
    }

    /// A run of sequences from 1 on, begun with a database.
    public struct Epoch: Hashable, Sendable {
        public let number: Int64
        /// The lowest that counts: 1, or the first seen of the stream.
        public internal(set) var first: Int64
        public internal(set) var last: Int64
        /// Different sequences.
        public internal(set) var messages: Int64 = 1
        /// Missing ones that the lane itself has told of.
        public internal(set) var told: Int64 = 0
        var open = OpenRanges()

        /// What never came, in rising order; those that were given up are missing here.
        public var gaps: [ClosedRange<Int64>] { open.ranges }
        public var missing: Int64 { open.missing }
        /// Gaps that are counted in `missing` and no longer known.
        public var gapsGivenUp: Int { open.givenUp }
    }

    private static let epochLimit = 64
    private static let partitionLimit = 32

    /// In rising order.
    public private(set) var epochs: [Epoch] = []
    /// Where its messages lie; more than one where partitions were added.
    public private(set) var partitions: [Int32] = []
    /// The highest of each.
    private var heights: [Place] = []
    private var window = PrintWindow()

    public init() {}

    public var missing: Int64 { epochs.reduce(0) { $0 + $1.missing } }
    public var messages: Int64 { epochs.reduce(0) { $0 + $1.messages } }
    public var told: Int64 { epochs.reduce(0) { $0 + $1.told } }
    public var first: Place? { epochs.first.map { Place(epoch: $0.number, seq: $0.first) } }
    public var last: Place? { epochs.last.map { Place(epoch: $0.number, seq: $0.last) } }

    /// A message came.
    /// - Parameter print: 64 bits that differ where the message does.
    public mutating func take(_ place: Place, partition: Int32 = 0, print: UInt64) -> Arrival {
        let isBelowOwn = note(place, partition)
        guard let newest = epochs.last else {
            epochs = [Epoch(number: place.epoch, first: place.seq, last: place.seq)]
            window.keep(place.seq, print)
            return .begins
        }
        if place.epoch > newest.number { return begin(place, print) }
        if place.epoch < newest.number { return takeFormer(place, isBelowOwn) }
        let arrival = take(place.seq, in: epochs.count - 1, isBelowOwn, window.isSame(place.seq, print))
        if arrival != .beforeFirst, !isRepeat(arrival) { window.keep(place.seq, print) }
        return arrival
    }

    /// The lane says that it has dropped `range` of `epoch`: what of it is missing is not a fault.
    /// - Returns: how many those are.
    @discardableResult
    public mutating func tell(_ range: ClosedRange<Int64>, of epoch: Int64) -> Int64 {
        guard let index = epochs.firstIndex(where: { $0.number == epoch }) else { return 0 }
        let count = epochs[index].open.remove(range)
        epochs[index].told += count
        return count
    }

    private func isRepeat(_ arrival: Arrival) -> Bool { if case .repeated = arrival { true } else { false } }

    /// - Returns: whether a younger one came before from the same partition.
    private mutating func note(_ place: Place, _ partition: Int32) -> Bool {
        guard let index = partitions.firstIndex(of: partition) else {
            guard partitions.count < Self.partitionLimit else { return true }
            partitions.append(partition)
            heights.append(place)
            return false
        }
        if heights[index] > place { return true }
        heights[index] = place
        return false
    }

    private mutating func begin(_ place: Place, _ print: UInt64) -> Arrival {
        if epochs.count == Self.epochLimit { epochs.removeFirst() }
        var epoch = Epoch(number: place.epoch, first: min(1, place.seq), last: place.seq)
        window.removeAll()
        window.keep(place.seq, print)
        defer { epochs.append(epoch) }
        guard place.seq > 1 else { return .next }
        epoch.open.append(1...place.seq - 1)
        return .opensGap(1...place.seq - 1)
    }

    private mutating func takeFormer(_ place: Place, _ isBelowOwn: Bool) -> Arrival {
        guard let index = epochs.firstIndex(where: { $0.number == place.epoch }) else {
            // Nothing is known of it: before all that was seen, or in between, where nothing was.
            return place.epoch < (epochs.first?.number ?? 0) ? .beforeFirst : .staleEpoch
        }
        let arrival = take(place.seq, in: index, isBelowOwn, nil)
        switch arrival {
        case .next, .opensGap: return isBelowOwn ? .staleEpoch : .acrossPartitions
        default: return arrival
        }
    }

    private mutating func take(_ seq: Int64, in index: Int, _ isBelowOwn: Bool, _ isSame: Bool?) -> Arrival {
        if seq > epochs[index].last {
            let expected = epochs[index].last + 1
            epochs[index].last = seq
            epochs[index].messages += 1
            guard seq > expected else { return .next }
            epochs[index].open.append(expected...seq - 1)
            return .opensGap(expected...seq - 1)
        }
        guard seq >= epochs[index].first else { return .beforeFirst }
        switch epochs[index].open.take(seq) {
        case .missing:
            epochs[index].messages += 1
            return isBelowOwn ? .outOfOrder : .acrossPartitions
        case .present: return .repeated(isSame: isSame)
        case .unknown: return .undecided
        }
    }
}
