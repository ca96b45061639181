import Testing

@testable import Delivery

/// A backlog that goes down, look by look, ten seconds apart.
@Suite struct DrainTests {
    @Test func aLongDrainIsToldOnceAMinuteAndAtItsEnd() {
        var watch = DrainWatch()
        var told: [(second: Int64, word: DrainWatch.Word)] = []
        // An outage of a minute, then 1000 a second out of 100 000.
        for look in 0..<20 {
            let second = Int64(look) * 10
            let acknowledged = max(0, min(100_000, (Int(second) - 60) * 1000))
            let word = watch.look(acknowledged: acknowledged, waiting: 100_000 - acknowledged, now: second * 1000)
            if let word { told.append((second, word)) }
        }
        #expect(told.map(\.second) == [120, 160])
        guard case .progress(let progress) = told.first?.word, case .over(let over) = told.last?.word else {
            Issue.record("\(told)")
            return
        }
        // Since it goes down, not since the outage began.
        #expect(progress.done == 60_000 && progress.of == 100_000 && progress.milliseconds == 60_000)
        #expect(progress.perSecond == 1000 && progress.secondsLeft == 40)
        #expect(over.done == 100_000 && over.milliseconds == 100_000 && over.secondsLeft == 0)
    }

    @Test func whatComesMeanwhileIsCounted() {
        var watch = DrainWatch()
        // 300 a second go, 100 a second come.
        for look in 0...3 {
            _ = watch.look(acknowledged: look * 3000, waiting: 10_000 - look * 2000, now: Int64(look) * 10_000)
        }
        let drain = watch.drain(acknowledged: 9000, waiting: 4000, now: 30_000)
        #expect(drain?.done == 9000 && drain?.of == 13_000)
        #expect(drain?.perSecond == 300 && drain?.secondsLeft == 20)
    }

    @Test func withAsMuchComingAsGoingNoEndIsTold() {
        var watch = DrainWatch()
        for look in 0...2 { _ = watch.look(acknowledged: look * 1000, waiting: 5000, now: Int64(look) * 10_000) }
        let drain = watch.drain(acknowledged: 2000, waiting: 5000, now: 20_000)
        #expect(drain?.perSecond == 100 && drain?.secondsLeft == nil)
    }

    @Test func aFewMessagesAreNoBacklog() {
        var watch = DrainWatch()
        for look in 0..<30 {
            let isThere = look % 2 == 0
            #expect(watch.look(acknowledged: look * 2000, waiting: isThere ? 999 : 0, now: Int64(look) * 10_000) == nil)
        }
        #expect(watch.drain(acknowledged: 60_000, waiting: 0, now: 300_000) == nil)
    }

    @Test func anOutageInTheMiddleBeginsAnotherDrain() {
        var watch = DrainWatch()
        _ = watch.look(acknowledged: 0, waiting: 8000, now: 0)
        _ = watch.look(acknowledged: 3000, waiting: 5000, now: 10_000)
        _ = watch.look(acknowledged: 3000, waiting: 6000, now: 20_000)
        #expect(watch.drain(acknowledged: 3000, waiting: 6000, now: 20_000) == nil)
        _ = watch.look(acknowledged: 5000, waiting: 4000, now: 30_000)
        #expect(watch.drain(acknowledged: 5000, waiting: 4000, now: 30_000)?.done == 2000)
        #expect(watch.look(acknowledged: 9000, waiting: 0, now: 40_000) != nil)
        #expect(watch.look(acknowledged: 9000, waiting: 0, now: 50_000) == nil)
    }
}
