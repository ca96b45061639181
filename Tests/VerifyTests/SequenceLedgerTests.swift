import Testing

@testable import Verify

/// The same numbers for the same seed. Source: SplitMix64, Steele, Lea and Flood, 2014.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

typealias Place = SequenceLedger.Place

/// What a stream is, said the plain way: everything is kept, nothing is clever.
struct NaiveLedger {
    /// By epoch, what came: the print of each sequence's youngest first appearance.
    var seen: [Int64: [Int64: UInt64]] = [:]
    var firsts: [Int64: Int64] = [:]
    var told: Set<Place> = []
    /// By partition, in order of arrival.
    var byPartition: [Int32: [Place]] = [:]

    mutating func take(_ place: Place, _ partition: Int32, _ print: UInt64) -> SequenceLedger.Arrival {
        let isBelowOwn = byPartition[partition, default: []].contains { $0 > place }
        byPartition[partition, default: []].append(place)
        let newest = seen.keys.max()
        // Of an epoch that was over before it was seen nothing is known, nor is it learnt.
        if let newest, place.epoch < newest, seen[place.epoch] == nil {
            return place.epoch < (seen.keys.min() ?? 0) ? .beforeFirst : .staleEpoch
        }
        defer { seen[place.epoch, default: [:]][place.seq] = seen[place.epoch]?[place.seq] ?? print }
        guard let newest else {
            firsts[place.epoch] = place.seq
            return .begins
        }
        if place.epoch > newest {
            firsts[place.epoch] = min(1, place.seq)
            return place.seq > 1 ? .opensGap(1...place.seq - 1) : .next
        }
        guard let known = seen[place.epoch], let highest = known.keys.max(), let first = firsts[place.epoch] else {
            return .undecided
        }
        if place.seq > highest {
            if place.epoch < newest { return isBelowOwn ? .staleEpoch : .acrossPartitions }
            return place.seq == highest + 1 ? .next : .opensGap(highest + 1...place.seq - 1)
        }
        if place.seq < first { return .beforeFirst }
        if let earlier = known[place.seq] {
            return .repeated(isSame: place.epoch == newest ? earlier == print : nil)
        }
        // Told to be dropped: then it is as if it had come.
        if told.contains(place) { return .repeated(isSame: nil) }
        return isBelowOwn ? .outOfOrder : .acrossPartitions
    }

    mutating func tell(_ range: ClosedRange<Int64>, _ epoch: Int64) -> Int64 {
        let missing = missing(epoch).filter { range.contains($0) }
        for seq in missing { told.insert(Place(epoch: epoch, seq: seq)) }
        return Int64(missing.count)
    }

    func missing(_ epoch: Int64) -> [Int64] {
        guard let known = seen[epoch], let highest = known.keys.max(), let first = firsts[epoch], first <= highest
        else {
            return []
        }
        return (first...highest).filter { known[$0] == nil && !told.contains(Place(epoch: epoch, seq: $0)) }
    }
}

@Suite struct SequenceLedgerTests {
    /// A stream with every kind of fault in it, as often as `chaos` says.
    private func stream(
        _ random: inout SeededGenerator, _ count: Int, _ chaos: Int
    ) -> [(place: Place, partition: Int32, print: UInt64, told: ClosedRange<Int64>?)] {
        var out: [(Place, Int32, UInt64, ClosedRange<Int64>?)] = []
        var place = Place(epoch: Int64.random(in: 1...3, using: &random), seq: Int64.random(in: 1...5, using: &random))
        var partition: Int32 = 0
        func print(_ place: Place) -> UInt64 { UInt64(place.epoch) << 40 | UInt64(place.seq) }
        for _ in 0..<count {
            guard Int.random(in: 0..<100, using: &random) < chaos else {
                out.append((place, partition, print(place), nil))
                place.seq += 1
                continue
            }
            switch Int.random(in: 0..<9, using: &random) {
            case 0: place.seq += Int64.random(in: 1...6, using: &random)
            case 1:
                // Sent again from some point on.
                let back = Int64.random(in: 1...12, using: &random)
                for seq in max(1, place.seq - back)..<max(2, place.seq) {
                    let again = Place(epoch: place.epoch, seq: seq)
                    out.append((again, partition, print(again), nil))
                }
            case 2:
                guard let old = out.randomElement(using: &random) else { continue }
                out.append((old.0, partition, old.2 &+ 7, nil))
            case 3: if out.count > 1 { out.swapAt(out.count - 1, out.count - 2) }
            case 4: place = Place(epoch: place.epoch + Int64.random(in: 1...2, using: &random), seq: 1)
            case 5: partition = Int32.random(in: 0..<3, using: &random)
            case 6:
                let late = Place(
                    epoch: max(1, place.epoch - Int64.random(in: 0...2, using: &random)),
                    seq: Int64.random(in: 1...max(1, place.seq + 3), using: &random))
                out.append((late, partition, print(late), nil))
            case 7:
                let first = place.seq
                place.seq += Int64.random(in: 1...5, using: &random)
                out.append((place, partition, print(place), first...place.seq))
                place.seq += 1
            default: place.seq = max(1, place.seq - 2)
            }
        }
        return out
    }

    @Test(arguments: 0..<120) func itAgreesWithOneThatKeepsEverything(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var ledger = SequenceLedger()
        var naive = NaiveLedger()
        var kinds: Set<String> = []
        for step in stream(&random, 400, [2, 10, 40, 80][seed % 4]) {
            let arrival = ledger.take(step.place, partition: step.partition, print: step.print)
            let expected = naive.take(step.place, step.partition, step.print)
            switch (arrival, expected) {
            // What was told as dropped and comes all the same was never looked at: nobody knows.
            case (.repeated(isSame: nil), .repeated): break
            default: #expect(arrival == expected, "\(step)")
            }
            kinds.insert("\(arrival)".prefix { $0 != "(" }.description)
            if let told = step.told {
                #expect(ledger.tell(told, of: step.place.epoch) == naive.tell(told, step.place.epoch))
            }
        }
        for epoch in ledger.epochs {
            let missing = naive.missing(epoch.number)
            #expect(epoch.gaps.flatMap { Array($0) } == missing)
            #expect(epoch.missing == Int64(missing.count))
            #expect(epoch.last == naive.seen[epoch.number]?.keys.max())
        }
        if seed % 4 == 3 { #expect(kinds.count >= 5, "\(kinds)") }
    }

    /// A crash in a long outage: what was in flight comes again, then all goes on. Nothing of it is a fault.
    @Test func aWindowSentAgainIsRepeatsOnly() {
        var ledger = SequenceLedger()
        for seq in 1...5000 { _ = ledger.take(Place(epoch: 7, seq: Int64(seq)), print: UInt64(seq)) }
        for seq in 3001...5000 {
            #expect(ledger.take(Place(epoch: 7, seq: Int64(seq)), print: UInt64(seq)) == .repeated(isSame: true))
        }
        #expect(ledger.take(Place(epoch: 7, seq: 5001), print: 5001) == .next)
        #expect(ledger.take(Place(epoch: 7, seq: 5001), print: 1) == .repeated(isSame: false))
        #expect(ledger.take(Place(epoch: 7, seq: 17), print: 17) == .repeated(isSame: nil))
        #expect(ledger.missing == 0 && ledger.messages == 5001)
    }

    @Test func moreGapsThanCanBeKeptAreCounted() {
        var ledger = SequenceLedger()
        let count = OpenRanges.limit + 500
        for number in 0...count { _ = ledger.take(Place(epoch: 1, seq: Int64(2 * number + 1)), print: 1) }
        #expect(ledger.missing == Int64(count))
        #expect(ledger.epochs[0].gaps.count == OpenRanges.limit && ledger.epochs[0].gapsGivenUp == 500)
        #expect(ledger.take(Place(epoch: 1, seq: 4), print: 1) == .undecided)
        #expect(ledger.take(Place(epoch: 1, seq: 2000), print: 1) == .outOfOrder)
        #expect(ledger.missing == Int64(count - 1))
    }

    @Test func whatALaneTellsThatItDroppedIsNotMissing() {
        var ledger = SequenceLedger()
        for seq in [1, 2, 3, 4, 20] as [Int64] { _ = ledger.take(Place(epoch: 1, seq: seq), print: 0) }
        #expect(ledger.missing == 15)
        #expect(ledger.tell(8...20, of: 1) == 12)
        #expect(ledger.missing == 3 && ledger.told == 12 && ledger.epochs[0].gaps == [5...7])
        #expect(ledger.tell(1...100, of: 2) == 0)
    }
}
