import Loop
import Screen
import Synchronization
import Testing

@testable import View

/// One pair of hands at a time.
@Suite struct ControlRightTests {
    private let press = InputEvent.key(0x61, isDown: true)
    private let release = InputEvent.key(0x61, isDown: false)
    private let hover = InputEvent.pointer(x: 1, y: 1, buttons: 0)
    private let click = InputEvent.pointer(x: 1, y: 1, buttons: 1)
    private let anna = AttendantID(number: 1)
    private let bert = AttendantID(number: 2)

    @Test func aPressTakesControlAndAHoverDoesNot() {
        var right = ControlRight()
        #expect(right.judge(anna, hover, now: 0) { true } == .idle)
        #expect(right.judge(anna, release, now: 0) { true } == .idle)
        #expect(right.holder == nil)
        #expect(right.judge(anna, click, now: 0) { true } == .taken(from: nil))
        #expect(right.judge(anna, hover, now: 1) { true } == .mine)
        #expect(right.judge(anna, release, now: 1) { true } == .mine)
    }

    @Test func anotherWaitsUntilTheHolderRests() {
        var right = ControlRight()
        _ = right.judge(anna, press, now: 1000) { true }
        #expect(right.judge(bert, press, now: 2000) { true } == .refused(by: anna, isNew: true))
        #expect(right.judge(bert, press, now: 2001) { true } == .refused(by: anna, isNew: false))
        // Moving counts as having it.
        #expect(right.judge(anna, hover, now: 5000) { true } == .mine)
        #expect(right.judge(bert, click, now: 14_999) { true } == .refused(by: anna, isNew: true))
        #expect(right.judge(bert, hover, now: 15_000) { true } == .idle)
        #expect(right.judge(bert, click, now: 15_000) { true } == .taken(from: anna))
        #expect(right.judge(anna, release, now: 15_001) { true } == .idle)
        #expect(right.judge(anna, press, now: 15_001) { true } == .refused(by: bert, isNew: true))
        right.leave(bert)
        #expect(right.judge(anna, press, now: 15_002) { true } == .taken(from: nil))
    }

    /// What cannot be noted does not happen.
    @Test func withoutRoomInTheAuditControlStaysWhereItIs() {
        var right = ControlRight()
        #expect(right.judge(anna, press, now: 0) { false } == .idle)
        _ = right.judge(anna, press, now: 0) { true }
        #expect(right.judge(bert, press, now: 60_000) { false } == .refused(by: anna, isNew: true))
        #expect(right.judge(anna, press, now: 60_001) { false } == .mine)
    }

    // MARK: Hands

    private final class Hand: LaneHand {
        let events = Collected<InputEvent>()
        let ended = Counter()
        func play(_ event: InputEvent) { events.add(event) }
        func end() { ended.add() }
    }

    @Test func whatAnotherHeldIsLetGoWhenControlIsTaken() {
        let made = Collected<Hand>()
        let turns = Collected<Hands.Turn>()
        let clock = Mutex<Int64>(0)
        let hands = Hands(now: { clock.withLock { $0 } }) {
            let hand = Hand()
            made.add(hand)
            return hand
        }
        hands.follow(mayTake: { true }, told: { turns.add($0) })
        // One that was never let in has no hands.
        hands.take(anna, press)
        #expect(made.all.isEmpty)
        hands.enter(anna)
        hands.enter(bert)
        hands.take(anna, press)
        hands.take(bert, click)
        clock.withLock { $0 = ControlRight.rest }
        hands.take(bert, click)
        hands.take(anna, release)
        #expect(made.all.count == 2 && made.all[0].events.all == [press] && made.all[1].events.all == [click])
        #expect(made.all[0].ended.value == 1 && made.all[1].ended.value == 0)
        #expect(
            turns.all == [
                .init(attendant: anna, isTaken: true, other: nil), .init(attendant: bert, isTaken: false, other: anna),
                .init(attendant: bert, isTaken: true, other: anna),
            ])
        #expect(hands.holder == bert && hands.played(anna) == 1)
        #expect(hands.leave(bert) == 1 && hands.holder == nil)
        // It has left: nothing of it is heard any more, whatever still comes.
        hands.take(bert, click)
        hands.end(bert)
        #expect(made.all.count == 2 && hands.holder == nil && made.all[1].ended.value == 1)
        #expect(made.all[1].events.all == [click])
        #expect(hands.leave(anna) == 1)
    }

    /// As a page does by its button: nothing is touched by that.
    @Test func whoAsksHasControlAndWhoGivesItBackLeavesItToAnother() throws {
        let made = Collected<Hand>()
        let turns = Collected<Hands.Turn>()
        let hands = Hands(now: { 0 }) {
            let hand = Hand()
            made.add(hand)
            return hand
        }
        hands.follow(mayTake: { true }, told: { turns.add($0) })
        #expect(!hands.claim(anna), "one that was never let in")
        hands.enter(anna)
        hands.enter(bert)
        #expect(hands.claim(anna) && hands.claim(anna) && !hands.claim(bert) && hands.holder == anna)
        #expect(made.all.isEmpty && hands.played(anna) == 0)
        hands.take(anna, press)
        hands.giveBack(anna)
        try awaitTrue(seconds: 10) { made.all[0].ended.value == 1 }
        #expect(hands.holder == nil && hands.claim(bert) && hands.holder == bert)
        #expect(turns.all.map(\.isTaken) == [true, false, true])
        #expect(!Hands(make: nil).claim(anna))
    }

    private final class StuckHand: LaneHand {
        let isPlaying = Semaphore()
        let goesOn = Semaphore()
        func play(_ event: InputEvent) {
            isPlaying.signal()
            goesOn.wait()
        }
        func end() { goesOn.wait() }
    }

    /// An X server that is frozen holds up the one who types, and neither the gate nor another attendant.
    @Test(.timeLimit(.minutes(1))) func aFrozenScreenHoldsUpNobodyElse() {
        let stuck = StuckHand()
        let hands = Hands(now: { 0 }) { stuck }
        hands.enter(anna)
        hands.enter(bert)
        let done = Semaphore()
        startThread(name: "anna") { [anna, press] in
            hands.take(anna, press)
            hands.end(anna)
            done.signal()
        }
        stuck.isPlaying.wait()
        // What the loop's thread asks, and what it does with the one who is stuck; another's press.
        #expect(hands.holder == anna && hands.played(anna) == 1)
        hands.take(bert, press)
        #expect(hands.leave(anna) == 1)
        for _ in 0..<2 { stuck.goesOn.signal() }
        done.wait()
    }
}
