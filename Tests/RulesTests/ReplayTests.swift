import Foundation
import Lane
import Testing

@testable import Rules

@Suite struct ReplayTests {
    let set: RuleSet

    init() throws {
        set = RuleSet([
            try .b("slow", on: "payment.started", unless: "payment.approved", within: "45s").same("pay"),
            try Rule.a("help", on: "help.requested").clearAfter("10s"),
        ])
    }

    /// The result lines and what still waits, the recording cut into pieces of `piece` bytes.
    private func replay(_ lines: [String], piece: Int = .max) throws -> (lines: [String], waiting: [String]) {
        var replay = Replay(set)
        let bytes = Array(lines.joined(separator: "\n").utf8)
        var start = 0
        while start < bytes.count {
            let end = piece < bytes.count - start ? start + piece : bytes.count
            try replay.add(Array(bytes[start..<end]))
            start = end
        }
        var out: [String] = []
        let waiting = try replay.finish { out.append($0) }
        return (out, waiting.map(\.text))
    }

    @Test func zeroIsTheFirstSignalAndDeadlinesBeforeTheLastHaveFired() throws {
        let result = try replay([
            #"{"seq":1,"t":1000500,"lane":"L1","type":"payment.started","pay":"A B"}"#,
            #"{"seq":2,"t":1010501,"lane":"L1","type":"payment.started","pay":"C"}"#,
            #"{"seq":3,"t":1045501,"lane":"L1","type":"help.requested"}"#,
            "",
        ])
        #expect(result.lines == [#"45s raise slow pay="A B" warning"#, "45001ms raise help warning"])
        #expect(result.waiting == ["55001ms raise slow pay=C", "55001ms clear help"])
    }

    @Test func aDeadlineAtTheEndStillWaits() throws {
        let result = try replay([
            #"{"seq":1,"t":0,"type":"payment.started","pay":"A"}"#, #"{"seq":2,"t":45000,"type":"touch"}"#,
        ])
        #expect(result.lines == [])
        #expect(result.waiting == ["45s raise slow pay=A"])
    }

    @Test func linesOfSeveralLanesComeByTimeThenLane() throws {
        let result = try replay([
            #"{"seq":1,"t":1000,"lane":"b","type":"payment.started","pay":"P"}"#,
            #"{"seq":1,"t":500,"lane":"a","type":"touch"}"#,
            #"{"seq":2,"t":1000,"lane":"a","type":"payment.started","pay":"P"}"#,
            #"{"seq":2,"t":46001,"lane":"b","type":"payment.approved","pay":"P"}"#,
            #"{"seq":3,"t":50000,"lane":"a","type":"help.requested"}"#,
        ])
        #expect(
            result.lines == [
                "a: 45500ms raise slow pay=P warning", "b: 45500ms raise slow pay=P warning",
                "b: 45501ms clear slow pay=P", "a: 49500ms raise help warning",
            ])
        #expect(result.waiting == ["a: 59500ms clear help"])
    }

    @Test(arguments: [1, 2, 7, 64, 4096]) func piecesOfAnySizeGiveTheSame(_ piece: Int) throws {
        var lane = RandomLane(seed: 3)
        var lines: [String] = []
        for signal in lane.stream(200) {
            var json = JSONWriter()
            SignalLine.write(signal, lane: lane.dice.pick(["a", "b"]), into: &json)
            lines.append(json.text)
        }
        let whole = try replay(lines)
        let pieces = try replay(lines, piece: piece)
        #expect(whole.lines == pieces.lines)
        #expect(whole.waiting == pieces.waiting)
        #expect(!whole.lines.isEmpty)
    }

    /// A recording of one lane gives what the engine gives when it is stepped on the signals by hand.
    @Test(arguments: 0..<20) func aReplayIsTheEngine(_ seed: Int) throws {
        var lane = RandomLane(seed: seed)
        let set = lane.set(rules: 12)
        let stream = lane.stream(200)
        var engine = RuleEngine(table: RuleTable(set, lane: LaneIdentity(store: "0000", lane: "L07")))
        var changes = stream.flatMap { engine.step($0).changes }
        let end = try #require(stream.last?.at)
        changes += engine.idle(until: end).changes
        let zero = try #require(stream.first?.at)
        var replay = Replay(set)
        for signal in stream {
            var json = JSONWriter()
            SignalLine.write(signal, lane: nil, into: &json)
            try replay.add(json.bytes + [0x0A])
        }
        var out: [String] = []
        _ = try replay.finish { out.append($0) }
        #expect(out == changes.compactMap { ResultLine.text(of: $0, from: zero) })
        #expect(replay.counts.signals == 200)
        #expect(replay.counts.raised == engine.counts.raised)
    }

    @Test(arguments: [
        (
            #"{"seq":2,"t":5,"type":"touch"}"# + "\n" + #"{"seq":3,"t":4,"type":"touch"}"#,
            ReplayFault(
                line: 2, column: nil,
                message: "lane L07 is out of order: t 4 after 5; lines stand in order of t, then seq")
        ),
        (
            #"{"seq":2,"t":5,"type":"touch"}"# + "\n\n" + #"{"seq":2,"t":5,"type":"touch"}"#,
            ReplayFault(
                line: 3, column: nil,
                message: "lane L07 is out of order: seq 2 after 2 at t 5; lines stand in order of t, then seq")
        ),
        (
            #"{"seq":2,"type":"touch"}"#,
            ReplayFault(line: 1, column: nil, message: "no \"t\"; a recording needs the lane time, in ms")
        ),
        (
            #"{"t":1,"type":"toch"}"#,
            ReplayFault(line: 1, column: 16, message: "no signal \"toch\"; did you mean \"touch\"?")
        ),
        ("nonsense", ReplayFault(line: 1, column: 1, message: "expected an object: {\"type\":\"…\", …}")),
    ]) func wrongLinesAreNamed(_ text: String, _ fault: ReplayFault) {
        #expect(throws: fault) {
            var replay = Replay(self.set)
            try replay.add(Array(text.utf8))
            _ = try replay.finish { _ in }
        }
    }

    /// However the lanes are spread, the lines are the same; the numbers add up.
    @Test(arguments: [2, 3, 16]) func partsGiveWhatOneGives(_ count: Int) throws {
        var lane = RandomLane(seed: 5)
        var lines: [String] = []
        for signal in lane.stream(600) {
            var json = JSONWriter()
            let name = lane.dice.pick(["a", "b", "c d", "quote \"", nil])
            SignalLine.write(signal, lane: name, into: &json)
            lines.append(json.text)
        }
        lines.append(#"{"lane" : "b", "t": 9999999999999, "seq": 601, "type": "help.requested"}"#)
        lines.append(#"{"x":{"lane":"b"},"lane":"a","t":9999999999999,"seq":700,"type":"help.requested"}"#)
        let bytes = Array(lines.joined(separator: "\n").utf8)
        let whole = try replay(lines)
        var parts = (0..<count).map { Replay(set, part: $0, of: count) }
        for part in parts.indices { try parts[part].add(bytes) }
        var out: [String] = []
        let waiting = try Replay.finish(&parts) { out.append($0) }
        #expect(out == whole.lines)
        #expect(waiting.map(\.text) == whole.waiting)
        #expect(parts.map(\.counts.signals).reduce(0, +) == 602)
    }

    /// Found by fuzzing: one part passed the line over for its first lane, the other for its second, and nobody ran it.
    @Test func aLineThatNamesTwoLanesIsNotLostBetweenTheParts() {
        let line = Array(#"{"t":1,"lane":"a","lane":"b","type":"touch"}"#.utf8)
        let fault = ReplayFault(line: 1, column: 26, message: "\"lane\" twice")
        var faults: [ReplayFault] = []
        for part in 0..<2 {
            var replay = Replay(set, part: part, of: 2)
            do throws(ReplayFault) {
                try replay.add(line + [0x0A])
            } catch { faults.append(error) }
        }
        #expect(faults == [fault])
    }

    /// Found by fuzzing.
    @Test func controlCharactersOfALanesNameAreNotShown() throws {
        let result = try replay([
            #"{"t":0,"lane":"a\u001b","type":"help.requested"}"#, #"{"t":0,"lane":"b","type":"help.requested"}"#,
        ])
        #expect(result.lines == [#""a\u001b": 0s raise help warning"#, "b: 0s raise help warning"])
        #expect(result.waiting == [#""a\u001b": 10s clear help"#, "b: 10s clear help"])
    }

    @Test func aLineWithoutEndIsAnError() {
        var replay = Replay(set)
        let endless = [UInt8](repeating: UInt8(ascii: "x"), count: 600_000)
        #expect(throws: Never.self) { try replay.add(endless) }
        #expect(throws: ReplayFault(line: 1, column: nil, message: "longer than 1048576 bytes")) {
            try replay.add(endless)
        }
    }

    @Test func aMissingSeqIsTheOrderOfTheLines() throws {
        let result = try replay([
            #"{"t":0,"type":"help.requested"}"#, #"{"t":0,"type":"payment.started","pay":"A"}"#,
            #"{"t":60000,"type":"touch"}"#,
        ])
        #expect(result.lines == ["0s raise help warning", "10s clear help", "45s raise slow pay=A warning"])
    }

    @Test func nothingGivesNothing() throws {
        #expect(try replay([]).lines == [])
        #expect(try replay(["", ""]).waiting == [])
    }

    /// The tutorial's recording runs under the shipped rules, and tells something.
    @Test func theTutorialsRecordingTellsSomething() throws {
        var replay = Replay(try ShippedRules.set())
        let recording = ShippedRules.repository.appendingPathComponent("docs/tutorial/recording.jsonl")
        try replay.add([UInt8](try Data(contentsOf: recording)))
        var out: [String] = []
        _ = try replay.finish { out.append($0) }
        #expect(replay.counts.ignored == 0)
        #expect(out.contains { $0.contains(" raise ") } && out.contains { $0.contains(" clear ") })
    }
}
