import Kafka
import Lane
import Outbox
import Testing

@testable import Delivery

/// A generator with a seed, so that a failure can be run again.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

@Suite struct WindowTests {
    private func entry(_ seq: Int64) -> Window.Entry {
        Window.Entry(position: Position(epoch: 1, seq: seq), handedOver: 0, created: 0, bytes: 10)
    }

    /// Random hand-overs, reports in any order and rewinds, beside plain arrays.
    @Test(arguments: 0..<20) func itAgreesWithAPlainModel(seed: UInt64) {
        var random = Seeded(state: seed)
        var window = Window(acked: .start, head: Position(epoch: 1, seq: 100_000))
        var acked: Int64 = 0
        var flying: [(seq: Int64, ticket: UInt64, isAcknowledged: Bool)] = []
        var old: [UInt64] = []
        for _ in 0..<5000 {
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<45:
                let seq = acked + Int64(flying.count) + 1
                flying.append((seq, window.nextTicket, false))
                window.append(entry(seq))
            case 45..<97:
                guard let place = flying.indices.randomElement(using: &random) else { continue }
                flying[place].isAcknowledged = true
                var expected: [Int64] = []
                let ticket = flying[place].ticket
                while let first = flying.first, first.isAcknowledged {
                    expected.append(first.seq)
                    acked = first.seq
                    flying.removeFirst()
                }
                var done: [Int64] = []
                window.acknowledge(ticket) { done.append($0.position.seq) }
                #expect(done == expected)
                if !expected.isEmpty { old.append(ticket) }
            case 97..<99:
                // A report for one that is done, or from before a rewind, changes nothing.
                guard let ticket = old.randomElement(using: &random), !flying.contains(where: { $0.ticket == ticket })
                else { continue }
                window.acknowledge(ticket) { _ in Issue.record("done twice") }
                #expect(window.entry(ticket) == nil)
            default:
                #expect(window.rewind().map(\.position.seq) == flying.map(\.seq))
                old += flying.map(\.ticket)
                flying = []
            }
            #expect(window.count == flying.count && window.bytes == 10 * flying.count)
            #expect(window.acked.seq == acked && window.sent.seq == acked + Int64(flying.count))
            #expect(window.oldest?.position.seq == flying.first?.seq)
        }
    }

    @Test func afterARefusalMessagesGoOneAtATimeUntilAllAreThrough() {
        var window = Window(acked: .start, head: Position(epoch: 1, seq: 9))
        for seq in 1...3 { window.append(entry(Int64(seq))) }
        #expect(window.blame(Position(epoch: 1, seq: 1)) == 1)
        _ = window.rewind()
        for seq in Int64(1)...3 {
            #expect(window.room(100) == 1)
            let ticket = window.nextTicket
            window.append(entry(seq))
            #expect(window.room(100) == 0)
            if seq == 2 {
                // Not the first but the second was it: its count begins anew.
                #expect(window.blame(Position(epoch: 1, seq: 2)) == 1)
                #expect(window.blame(Position(epoch: 1, seq: 2)) == 2)
            }
            window.acknowledge(ticket) { _ in }
        }
        #expect(window.room(100) == 100)
        #expect(window.blame(Position(epoch: 1, seq: 2)) == 1)
    }

    @Test func opaquesComeBackWhole() {
        var random = Seeded(state: 7)
        for _ in 0..<1000 {
            let instance = UInt64.random(in: 0..<0x1_0000, using: &random)
            let channel = Int.random(in: 0..<4096, using: &random)
            let ticket = UInt64.random(in: 0..<(1 << 36), using: &random)
            let back = Opaque.unpack(Opaque.pack(instance: instance, channel: channel, ticket: ticket))
            #expect(back == (instance, channel, ticket))
        }
    }
}

@Suite struct BackoffTests {
    @Test func itDoublesUpToItsLimitWithFullJitter() {
        var random = Seeded(state: 1)
        for _ in 0..<200 {
            var backoff = Backoff()
            for ceiling in [1000, 2000, 4000, 8000, 15_000, 15_000] as [Int64] {
                #expect((0...ceiling).contains(backoff.next(using: &random)))
            }
            backoff.reset()
            #expect(backoff.next(using: &random) <= 1000)
        }
        var backoff = Backoff()
        let pauses = (0..<2000).map { _ in backoff.next(using: &random) }
        let mean = Double(pauses.reduce(0, +)) / 2000
        #expect((7000...8000).contains(mean), "full jitter means half the limit")
    }

    @Test func itIsTotal() {
        var random = Seeded(state: 2)
        var none = Backoff(first: 0, limit: -5)
        #expect((0..<9).map { _ in none.next(using: &random) }.allSatisfy { $0 >= 0 && $0 <= 1 })
    }
}

@Suite struct ProducerDefaultsTests {
    @Test func theDefaultsAreAsDesigned() {
        let old = ProducerDefaults.configuration(clientID: "c", overrides: [], version: LibraryVersion(2, 0, 2))
        #expect(old["retry.backoff.max.ms"] == nil && old["message.timeout.ms"] == "0" && old["client.id"] == "c")
        #expect(old["enable.gapless.guarantee"] == "true" && old["socket.nagle.disable"] == "true")
        let new = ProducerDefaults.configuration(clientID: "c", overrides: [], version: LibraryVersion(2, 3, 0))
        #expect(new["retry.backoff.max.ms"] == "15000")
        let own = ProducerDefaults.configuration(clientID: "c", overrides: [.init("linger.ms", "5")])
        #expect(own["linger.ms"] == "5")
        #expect(own.faults().isEmpty)
        #expect(ProducerDefaults.weaknesses(of: own).isEmpty)
        let weak = ProducerDefaults.configuration(
            clientID: "c", overrides: [.init("acks", "1"), .init("message.timeout.ms", "5000")])
        #expect(ProducerDefaults.weaknesses(of: weak).count == 2)
    }
}
