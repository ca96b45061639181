import Kafka
import Testing

@testable import Delivery

/// Events of a link and what is shown of it, in a time of the test's own.
@Suite struct LinkStateTests {
    private func fault(_ cause: LinkFault.Cause, _ broker: String = "b:1") -> LinkFault {
        LinkFault(cause: cause, broker: broker, sentence: "it is \(cause)", said: "")
    }

    private func link(_ state: inout LinkState, _ now: Int64, oldest: Int64? = nil) -> Link {
        state.link(now: now, wall: 1_000_000 + now, oldest: oldest)
    }

    @Test func aLinkThatComesUpIsNeverCalledBroken() {
        var state = LinkState(now: 0)
        #expect(link(&state, 100).state == .connecting)
        #expect(link(&state, 9000).sentence.isEmpty)
        state.reached()
        #expect(link(&state, 9100).state == .up)
    }

    @Test func whenAllAreDownThatIsShownAtOnceWithWhy() {
        var state = LinkState(now: 0)
        state.take(fault(.credentials), isAllDown: false, now: 300)
        state.take(fault(.other), isAllDown: true, now: 310)
        let shown = link(&state, 320)
        #expect(shown.state == .down && shown.fault?.cause == .credentials)
        #expect(shown.sentence == "it is credentials" && shown.since == 1_000_000)
    }

    /// One address swallows everything, the other refuses: never are both down in one moment.
    @Test func withoutABrokerForTenSecondsALinkIsDown() {
        var state = LinkState(now: 0)
        state.take(fault(.refused, "a:1"), isAllDown: false, now: 100)
        #expect(link(&state, 9999).state == .connecting)
        state.take(fault(.silent, "b:1"), isAllDown: false, now: 10_000)
        #expect(link(&state, 10_000).state == .down)
    }

    @Test func aHostThatSwallowsEverythingIsSeenInTwentySeconds() {
        var state = LinkState(now: 0)
        #expect(link(&state, 19_999).state == .connecting)
        #expect(link(&state, 20_000).state == .down)
        #expect(!link(&state, 20_001).sentence.isEmpty)
    }

    @Test func oneBrokerOfThreeBreaksNoLink() {
        var state = LinkState(now: 0)
        state.reached()
        state.take(fault(.refused), isAllDown: false, now: 1000)
        state.count(up: 2, now: 10_000)
        #expect(link(&state, 60_000).state == .up)
        #expect(state.counts == [.refused: 1])
    }

    @Test func itStaysDownUntilABrokerAnswersAndSinceIsKept() {
        var state = LinkState(now: 0)
        state.reached()
        #expect(link(&state, 1000).state == .up)
        state.take(fault(.closed), isAllDown: false, now: 5000)
        state.take(fault(.other), isAllDown: true, now: 5000)
        #expect(link(&state, 5000).since == 1_005_000)
        // A producer made anew is no answer.
        state.restarted(now: 6000)
        #expect(link(&state, 6000).state == .down)
        #expect(link(&state, 300_000).since == 1_005_000)
        state.reached()
        let back = link(&state, 300_001)
        #expect(back.state == .up && back.since == 1_300_001 && back.fault == nil)
    }

    @Test func aBrokerThatAcknowledgesNothingStalls() {
        var state = LinkState(now: 0)
        state.reached()
        #expect(link(&state, 50_000, oldest: 31_000).state == .up)
        #expect(link(&state, 50_000, oldest: 30_000).state == .stalled)
        #expect(link(&state, 50_001, oldest: 49_000).state == .up)
    }

    @Test func whyACertificateIsRefusedIsNotOverwritten() {
        var state = LinkState(now: 0)
        state.take(fault(.expired), isAllDown: false, now: 100)
        state.take(fault(.untrusted), isAllDown: false, now: 101)
        state.take(fault(.other), isAllDown: true, now: 102)
        #expect(link(&state, 110).fault?.cause == .expired)
        // Much later it may be another certificate.
        state.take(fault(.untrusted), isAllDown: false, now: 9000)
        #expect(link(&state, 9001).fault?.cause == .untrusted)
    }

    @Test func theFaultThatTellsMostIsShown() {
        var state = LinkState(now: 0)
        state.take(fault(.refused, "a:1"), isAllDown: false, now: 100)
        state.take(fault(.credentials, "b:1"), isAllDown: false, now: 101)
        state.take(fault(.silent, "c:1"), isAllDown: false, now: 102)
        #expect(link(&state, 12_000).fault?.broker == "b:1")
        // And forgotten after two minutes without another.
        state.take(fault(.refused, "a:1"), isAllDown: false, now: 130_000)
        #expect(link(&state, 130_001).fault?.broker == "a:1")
    }

    @Test func aBrokerThatThrowsOutWhoDoesNotLogInIsNotUp() {
        var state = LinkState(now: 0)
        state.take(fault(.loginWanted), isAllDown: false, now: 100)
        state.count(up: 1, now: 9000)
        #expect(link(&state, 11_000).state == .down)
    }

    @Test func thatAConnectionEndedDoesNotHideWhy() {
        var state = LinkState(now: 0)
        state.take(fault(.loginWanted), isAllDown: false, now: 100)
        state.take(fault(.closed), isAllDown: false, now: 200)
        #expect(link(&state, 12_000).fault?.cause == .loginWanted)
        state.take(fault(.closed), isAllDown: false, now: 50_000)
        #expect(link(&state, 50_000).fault?.cause == .closed)
    }

    @Test func faultsOfManyBrokersAreBounded() {
        var state = LinkState(now: 0)
        for broker in 0..<1000 { state.take(fault(.refused, "b\(broker):1"), isAllDown: false, now: 1) }
        #expect(state.counts[.refused] == 1000)
        #expect(link(&state, 20_000).fault?.broker == "b968:1")
    }
}
