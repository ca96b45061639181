import Feeds
import Lane
import Loop
import Testing

@Suite @LoopActor struct BacklogFeedTests {
    private func feed(_ sink: SocketSink) throws -> BacklogFeed {
        let feed = BacklogFeed()
        try feed.start(sink)
        return feed
    }

    private func types(_ sink: SocketSink) -> [String] { sink.signals.map(\.type.name) }

    @Test func itBeginsWithWhatIsTrue() throws {
        let sink = SocketSink()
        let feed = try feed(sink)
        #expect(types(sink) == ["backlog.ok"] && sink.signals.allSatisfy { $0.feed == .agent })
        feed.observe(messages: 3, age: 15_000)
        feed.resync()
        #expect(types(sink) == ["backlog.ok", "backlog.high", "backlog.high"])
        #expect(feed.counts.isBalanced)
    }

    @Test func ageOrNumberMakeItHighAndBothMustBeWellBelow() throws {
        let sink = SocketSink()
        let feed = try feed(sink)
        feed.observe(messages: 9999, age: 14_999)
        #expect(types(sink) == ["backlog.ok"])
        feed.observe(messages: 10_000, age: 0)
        #expect(types(sink).last == "backlog.high")
        #expect(sink.signals.last?.attributes.map(\.value) == [.int(10_000), .int(0)])
        // In the margin nothing is told.
        feed.observe(messages: 5000, age: 0)
        feed.observe(messages: 0, age: 7500)
        #expect(sink.signals.count == 2)
        feed.observe(messages: 4999, age: 7499)
        #expect(types(sink) == ["backlog.ok", "backlog.high", "backlog.ok"])
        feed.observe(messages: 1, age: 61_500)
        #expect(sink.signals.last?.attributes.map(\.value) == [.int(1), .int(61)])
        #expect(feed.counts.isBalanced && feed.counts.dropped == ["unchanged": 3])
    }

    @Test func nothingFollowsAStop() throws {
        let sink = SocketSink()
        let feed = try feed(sink)
        feed.stop()
        feed.observe(messages: 99_999, age: 99_999)
        feed.resync()
        #expect(sink.signals.count == 1)
        #expect(feed.counts.isBalanced)
    }
}
