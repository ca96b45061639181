import Feeds
import Glibc
import Lane
import Loop
import Testing

@Suite struct ReplayTests {
    @LoopActor private static func start(_ feed: RecordingFeed, _ sink: SocketSink) throws { try feed.start(sink) }

    private func play(
        _ path: String, speed: Double? = nil, lane: String? = nil, sink: SocketSink = SocketSink()
    ) async throws -> (counts: StageCounts, signals: [Signal], notices: [Notice]) {
        let told = Told()
        var options = RecordingFeed.Options(path: path, speed: speed)
        options.lane = lane
        let feed = RecordingFeed(options) { _ in told.end() }
        try await Self.start(feed, sink)
        await told.untilEnd()
        let counts = await feed.counts
        #expect(counts.isBalanced && counts.held == 0)
        return (counts, await sink.signals, await sink.notices)
    }

    @Test func aRecordingGivesItsSignalsInOrder() async throws {
        let folder = try RecordingFolder()
        let lines = (0..<20_000).map {
            "{\"seq\":\($0),\"t\":\($0 * 1000),\"lane\":\"07\",\"type\":\"item.quantity\",\"quantity\":\($0)}"
        }
        // The last line lacks its line feed.
        let path = try folder.file("day.jsonl", lines.joined(separator: "\n"))
        let (counts, signals, notices) = try await play(path)
        #expect(counts.out == 20_000 && notices.isEmpty)
        let quantity = try #require(AttributeName("quantity"))
        let expected: [AttributeValue?] = (0..<20_000).map { AttributeValue.int(Int64($0)) }
        #expect(signals.map { $0[quantity] } == expected)
        #expect(signals.first?.feed == .pos)
    }

    @Test func faultyLinesAreToldWithTheirPlaceAndSkipped() async throws {
        let folder = try RecordingFolder()
        let path = try folder.file(
            "day.jsonl",
            """
            {"t":1,"type":"heartbeat"}

            {"t":2,"type":"hartbeat"}
            {"t":3,"type":"heartbeat",}
            {"t":4,"type":"pos.message","text":"4111111111111111"}
            {"t":5,"type":"network.down","if":"eth0"}
            {"t":4,"type":"heartbeat"}

            """)
        let (counts, signals, notices) = try await play(path)
        #expect(signals.map(\.type.name) == ["heartbeat", "network.down", "heartbeat"])
        #expect(signals[1].feed == .reach)
        #expect(counts.dropped == ["unknown_type": 1, "malformed": 1, "card_data": 1])
        #expect(
            notices.compactMap { $0.fields.first?.value } == [
                "\(path):3:16: no signal \"hartbeat\"; did you mean \"heartbeat\"?",
                "\(path):4:27: expected a string in double quotes",
                "\(path):5:1: attribute \"text\" looks like card data; it was dropped",
                "\(path):7:1: \"t\" goes back; the signal comes at once",
            ])
    }

    @Test func oneLaneOfManyIsPlayed() async throws {
        let folder = try RecordingFolder()
        let path = try folder.file(
            "day.jsonl",
            (0..<30).map { "{\"t\":\($0),\"lane\":\"\($0 % 3)\",\"type\":\"heartbeat\"}\n" }.joined()
                + "{\"type\":\"heartbeat\"}\n")
        let (counts, signals, _) = try await play(path, lane: "1")
        #expect(signals.count == 11)
        #expect(counts.dropped == ["other_lane": 20])
    }

    @Test func noSignalComesBeforeItsMoment() async throws {
        let folder = try RecordingFolder()
        let path = try folder.file(
            "day.jsonl",
            [0, 0, 2000, 2500, 8000].map { "{\"t\":\(1_795_248_843_120 + $0),\"type\":\"heartbeat\"}\n" }.joined())
        let sink = SocketSink()
        let start = Boottime.milliseconds()
        async let played = play(path, speed: 40, sink: sink)
        for (count, due) in [(2, 0), (3, 50), (4, 62), (5, 200)] as [(Int, Int64)] {
            await sink.until { $0.signals.count >= count }
            #expect(Boottime.milliseconds() - start >= due)
        }
        #expect(try await played.counts.out == 5)
    }

    @Test func aReplayWaitsForTheDisk() async throws {
        let folder = try RecordingFolder()
        let path = try folder.file("day.jsonl", (0..<1000).map { "{\"t\":\($0),\"type\":\"heartbeat\"}\n" }.joined())
        let sink = SocketSink()
        await Self.room(sink, 10)
        async let played = play(path, sink: sink)
        await sink.until { $0.isAskedForRoom }
        #expect(await sink.signals.count == 10)
        await Self.room(sink, .max)
        #expect(try await played.counts.out == 1000)
    }

    @LoopActor private static func room(_ sink: SocketSink, _ count: Int) { sink.giveRoom(count) }

    @Test func aReplayThatIsStoppedIsBalanced() async throws {
        let folder = try RecordingFolder()
        let path = try folder.file(
            "day.jsonl", "{\"t\":0,\"type\":\"heartbeat\"}\n{\"t\":9000000,\"type\":\"heartbeat\"}\n")
        let feed = RecordingFeed(RecordingFeed.Options(path: path))
        let sink = SocketSink()
        try await Self.start(feed, sink)
        await sink.until { $0.signals.count == 1 }
        for _ in 0..<2000 where await feed.counts.held == 0 { try await Task.sleep(for: .milliseconds(2)) }
        await Self.stop(feed)
        let counts = await feed.counts
        #expect(counts.isBalanced && counts.out == 1 && counts.dropped == ["stopped": 1])
    }

    @LoopActor private static func stop(_ feed: RecordingFeed) { feed.stop() }

    @Test func whatCannotBePlayedIsExplained() async throws {
        let folder = try RecordingFolder()
        func fault(_ path: String, _ speed: Double?) async -> String {
            do {
                try await Self.start(RecordingFeed(RecordingFeed.Options(path: path, speed: speed)), SocketSink())
                return ""
            } catch { return "\(error)" }
        }
        #expect(
            await fault("/nowhere/x.jsonl", 1)
                == "the recording /nowhere/x.jsonl cannot be read: No such file or directory")
        let path = try folder.file("x", "")
        #expect(await fault(path, 0) == "the speed of a replay must be more than 0, not 0.0")
        #expect(await fault(path, .infinity).isEmpty == false)
        let (counts, _, _) = try await play(path)
        #expect(counts.in == 0)
        let (_, _, notices) = try await play(folder.path)
        #expect(notices.first?.fields.first?.value == "\(folder.path):1: read: Is a directory")
    }

    @Test func whatWasRecordedIsWhatIsPlayed() async throws {
        let folder = try RecordingFolder()
        let recorder = Recorder(Recorder.Options(path: folder.path + "/lane.jsonl")) { _ in }
        var signals: [Signal] = []
        for (number, entry) in SignalCatalogue.shipped.entries.enumerated() {
            let type = try #require(SignalType(entry.name))
            let attributes = entry.attributes.map { declared in
                Attribute(
                    declared.name, declared.kind == .int ? .int(Int64(number) - 5) : .text("t\u{1}\"\\é\(number)"))
            }
            signals.append(Signal(type, attributes, feed: entry.from.first ?? .pos))
        }
        await Self.record(signals, recorder)
        await recorder.stop()
        #expect(try await play(folder.path + "/lane.jsonl").signals == signals)
    }

    @LoopActor private static func record(_ signals: [Signal], _ recorder: Recorder) {
        for (number, signal) in signals.enumerated() {
            recorder.record(
                StampedSignal(
                    number: Int64(number), at: LaneInstant(milliseconds: Int64(number)),
                    wall: WallInstant(milliseconds: 0),
                    signal: signal))
        }
    }
}
