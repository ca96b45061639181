import Testing

@testable import View

@Suite struct ViewerPatienceTests {
    @Test func halfAMessageHasADeadlineThatBytesDoNotMove() {
        var patience = ViewerPatience(at: 0)
        #expect(patience.nextDeadline == nil)
        patience.heard(messages: 0, isMidMessage: true, at: 100)
        #expect(patience.nextDeadline == 2100)
        // A byte a second is no progress.
        patience.heard(messages: 0, isMidMessage: true, at: 1100)
        #expect(patience.nextDeadline == 2100)
        #expect(patience.verdict(at: 2099) == nil)
        #expect(patience.verdict(at: 2100) == .halfMessage)
        patience.heard(messages: 1, isMidMessage: true, at: 2050)
        #expect(patience.nextDeadline == 4050, "one ended, another began")
        patience.heard(messages: 1, isMidMessage: false, at: 2060)
        #expect(patience.nextDeadline == nil)
    }

    @Test func aSlowViewerIsBorneAndAStuckOneIsNot() {
        var patience = ViewerPatience(at: 0)
        for second in 0..<60 {
            // It has a megabyte to take, and takes a little every 2.9 s.
            patience.took(total: UInt64(second + 1), waiting: 1 << 20, at: Int64(second) * 2900)
            #expect(patience.verdict(at: Int64(second) * 2900 + 2899) == nil)
        }
        patience.took(total: 60, waiting: 1 << 20, at: 59 * 2900 + 2000)
        #expect(patience.verdict(at: 59 * 2900 + 3000) == .stuck)
        patience.took(total: 61, waiting: 0, at: 59 * 2900 + 2500)
        #expect(patience.nextDeadline == nil)
    }

    @Test func handsAreBorneAndFloodsAreNot() {
        var patience = ViewerPatience(at: 0)
        for second in 1...100 { patience.heard(messages: 500, isMidMessage: false, at: Int64(second) * 1000) }
        #expect(patience.verdict(at: 100_000) == nil)
        patience.heard(messages: 1000, isMidMessage: false, at: 110_000)
        #expect(patience.verdict(at: 110_000) == nil, "who was quiet may catch up")
        patience.heard(messages: 1, isMidMessage: false, at: 110_000)
        #expect(patience.verdict(at: 110_000) == .flood)
        #expect(patience.verdict(at: 200_000) == .flood, "it does not pass")
    }

    @Test func aClockThatStandsOrGoesBackGivesNoCredit() {
        var patience = ViewerPatience(at: 1000)
        patience.heard(messages: 1000, isMidMessage: false, at: 500)
        #expect(patience.verdict(at: 500) == nil)
        patience.heard(messages: 1, isMidMessage: false, at: 900)
        #expect(patience.verdict(at: 900) == .flood)
    }
}

@Suite struct PressedInputTests {
    @Test func whatIsHeldIsLetGoLastFirst() {
        var pressed = PressedInput()
        #expect(pressed.isEmpty)
        let events: [InputEvent] = [
            .key(0xffe1, isDown: true), .key(0x41, isDown: true), .key(0x42, isDown: true), .key(0x41, isDown: false),
            .pointer(x: 5, y: 6, buttons: 1), .pointer(x: 7, y: 8, buttons: 3),
        ]
        let taken = events.map { pressed.note($0) }
        #expect(taken == Array(repeating: true, count: 6))
        let released = pressed.release()
        #expect(
            released == [
                .key(0x42, isDown: false), .key(0xffe1, isDown: false), .pointer(x: 7, y: 8, buttons: 0),
            ])
        #expect(pressed.isEmpty)
        let again = pressed.release()
        #expect(again.isEmpty)
    }

    @Test func handsHoldNoMoreThanHandsDo() {
        var pressed = PressedInput()
        let taken = (0..<UInt32(PressedInput.mostKeys)).map { pressed.note(.key($0, isDown: true)) }
        #expect(taken.allSatisfy { $0 })
        let (beyond, unknown) = (pressed.note(.key(1000, isDown: true)), pressed.note(.key(1000, isDown: false)))
        #expect(!beyond)
        #expect(!unknown, "what was not pressed is not let go")
        let repeated = pressed.note(.key(0, isDown: true))
        #expect(repeated, "a key that repeats is held once")
        let released = pressed.release()
        #expect(released.count == PressedInput.mostKeys)
    }
}
