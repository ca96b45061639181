import CLinux
import Foundation
import Testing

@testable import Screen

@Suite(.serialized) struct X11InputTests {
    /// The keysym that RFB's clients send for a character: the number of Latin-1, else 0x1000000 above its scalar.
    private func keysym(_ character: Unicode.Scalar) -> UInt32 {
        character.value < 0x100 ? character.value : 0x100_0000 + character.value
    }

    private func type(_ text: String, _ session: X11Input.Session) {
        for scalar in text.unicodeScalars {
            session.key(keysym(scalar), isDown: true)
            session.key(keysym(scalar), isDown: false)
        }
    }

    private func text(_ keysyms: [UInt32]) -> String {
        String(String.UnicodeScalarView(keysyms.compactMap { Unicode.Scalar(Keysym($0).scalar) }))
    }

    @Test(arguments: [
        ("us", "Hello, World! 0123456789 @#~{}|\\"),
        ("de", "zyZY äöüßÄÖÜ @€{[]}\\|~ <>"),
        ("fr", "azerty AZERTY 1234567890 éèçà @#{€"),
    ])
    func textIsTypedInTheLanesLayout(_ layout: String, _ wanted: String) throws {
        let bed = try X11Bed()
        try bed.run("setxkbmap", [layout])
        let listener = try X11Listener(bed)
        let input = X11Input(bed.screen)
        let session = input.begin()
        type(wanted, session)
        #expect(text(listener.typed(wanted.unicodeScalars.count)) == wanted)
        let painter = try X11Painter(bed.display)
        painter.settle { painter.keysDown.isEmpty }
        #expect(input.counts.isBalanced && input.counts.droppedTotal == 0)
    }

    @Test func whatIsNotOnTheLayoutIsTypedAllTheSameAndGivenBack() throws {
        let bed = try X11Bed()
        let listener = try X11Listener(bed)
        let painter = try X11Painter(bed.display)
        let before = painter.keysyms
        let input = X11Input(bed.screen)
        let session = input.begin()
        // One by one, as somebody types: the program looks up what a lent key means when it comes to it.
        for character in ["ł", "₿", "日", "é", "Ω", "ж", "ł", "ñ", "ø", "ę", "ğ"] {
            type(character, session)
            #expect(text(listener.typed(1)) == character)
        }
        #expect(painter.keysyms != before)
        session.end()
        painter.settle { painter.keysyms == before }
        #expect(input.counts.isBalanced && input.counts.droppedTotal == 0)
    }

    @Test func theLayoutsOtherGroupIsUsedWhileItIsInForce() throws {
        let bed = try X11Bed()
        try bed.run("setxkbmap", ["-layout", "us,ru", "-option", "grp:caps_toggle"])
        let listener = try X11Listener(bed)
        let painter = try X11Painter(bed.display)
        let before = painter.keysyms
        let session = X11Input(bed.screen).begin()
        type("Hello", session)
        #expect(text(listener.typed(5)) == "Hello")
        // ISO_Next_Group, as Caps Lock's key is now.
        for isDown in [true, false] { session.key(0xfe08, isDown: isDown) }
        painter.settle { painter.pointer.mask >> 13 & 3 == 1 }
        type("Привет", session)
        #expect(text(listener.typed(6)) == "Привет")
        #expect(painter.keysyms == before)
        // Latin letters are not in this group.
        type("a", session)
        #expect(text(listener.typed(1)) == "a")
    }

    @Test func shiftAndCapsLockDoNotChangeWhatWasMeant() throws {
        let bed = try X11Bed()
        let listener = try X11Listener(bed)
        let session = X11Input(bed.screen).begin()
        // A viewer that tells of Shift, and one that means a small letter all the same.
        session.key(0xffe1, isDown: true)
        type("A!a", session)
        session.key(0xffe1, isDown: false)
        #expect(text(listener.typed(3)) == "A!a")
        type("b", session)
        #expect(text(listener.typed(1)) == "b")
        for isDown in [true, false] { session.key(0xffe5, isDown: isDown) }
        type("aA1!", session)
        #expect(text(listener.typed(4)) == "aA1!")
        for isDown in [true, false] { session.key(0xffe5, isDown: isDown) }
        // The keypad's figure: by another key without Num Lock, by its own with it.
        for isDown in [true, false] { session.key(0xffb7, isDown: isDown) }
        for isDown in [true, false] { session.key(0xff7f, isDown: isDown) }
        for isDown in [true, false] { session.key(0xffb7, isDown: isDown) }
        #expect(listener.typed(2) == [0x37, 0xffb7])
        let painter = try X11Painter(bed.display)
        painter.settle { painter.keysDown.isEmpty }
    }

    @Test func aHeldKeyIsRepeatedByTheServerAlone() throws {
        let bed = try X11Bed()
        try bed.run("xset", ["r", "rate", "200", "50"])
        let listener = try X11Listener(bed)
        let input = X11Input(bed.screen)
        let session = input.begin()
        // As viewers do, that repeat keys themselves.
        for _ in 0..<20 { session.key(0x61, isDown: true) }
        let first = listener.typed(3)
        session.key(0x61, isDown: false)
        #expect(Set(first) == [0x61] && first.count >= 3)
        #expect(input.counts.dropped["repeat"] == 19)
        let painter = try X11Painter(bed.display)
        painter.settle { painter.keysDown.isEmpty }
    }

    @Test func nothingStaysHeldWhenASessionEnds() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let input = X11Input(bed.screen)
        var first: X11Input.Session? = input.begin()
        let second = input.begin()
        for key: UInt32 in [0xffe3, 0xffe9, 0x78, 0x20ac] { first?.key(key, isDown: true) }
        first?.pointer(x: 50, y: 60, buttons: 0b101)
        second.key(0x78, isDown: true)
        second.pointer(x: 51, y: 61, buttons: 0b1)
        painter.settle { painter.keysDown.count >= 3 && painter.pointer.mask & 0x500 == 0x500 }
        // Ended by going away, as when the attendant's connection breaks.
        first = nil
        // What the second holds stays.
        painter.settle { painter.keysDown.count == 1 && painter.pointer.mask & 0x1f00 == 0x100 }
        second.end()
        painter.settle { painter.keysDown.isEmpty && painter.pointer.mask & 0x1f00 == 0 }
        second.key(0x78, isDown: true)
        #expect(painter.keysDown.isEmpty)
        #expect(input.counts.dropped["ended"] == 1)
        #expect(input.counts.isBalanced)
    }

    @Test func thePointerIsClippedToTheScreen() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let session = X11Input(bed.screen).begin()
        for (x, y, wantedX, wantedY) in [
            (10, 20, 10, 20), (-5, 7000, 0, 479), (100_000, -1, 639, 0), (Int.max, Int.min, 639, 0),
        ] {
            session.pointer(x: x, y: y, buttons: 0)
            painter.settle { painter.pointer.x == wantedX && painter.pointer.y == wantedY }
        }
    }

    @Test func aFloodIsPacedAndWhatIsReleasedPasses() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let input = X11Input(bed.screen)
        let session = input.begin()
        for place in 0..<5000 { session.pointer(x: place % 640, y: 0, buttons: 1) }
        session.pointer(x: 1, y: 1, buttons: 0)
        painter.settle { painter.pointer.x == 1 && painter.pointer.mask & 0x100 == 0 }
        let counts = input.counts
        #expect(counts.isBalanced && counts.in == 5001)
        #expect(counts.dropped["pace"] ?? 0 > 1000)
    }

    @Test func whatLeadsOutOfTheTillIsRefused() throws {
        let bed = try X11Bed()
        let input = X11Input(bed.screen)
        let session = input.begin()
        // Another console, the end of the server, power off, no key at all.
        for key: UInt32 in [0x1008_fe01, 0xfed5, 0x1008_ff2a, 0, .max] { session.key(key, isDown: true) }
        #expect(input.counts.dropped["not_allowed"] == 5)
        session.key(0xffe3, isDown: true)
        session.key(0xffe9, isDown: true)
        for key: UInt32 in [0xffbe, 0xff08, 0xffff] { session.key(key, isDown: true) }
        #expect(input.counts.dropped["not_allowed"] == 8)
        session.key(0xffe9, isDown: false)
        session.key(0xff08, isDown: true)
        #expect(input.counts.dropped["not_allowed"] == 8)
        #expect(input.counts.isBalanced)
    }

    @Test func aFrozenServerHoldsNobody() throws {
        let bed = try X11Bed()
        let input = X11Input(bed.screen)
        let sessions = (0..<12).map { _ in input.begin() }
        sessions[0].pointer(x: 1, y: 1, buttons: 0)
        bed.freeze()
        defer { bed.thaw() }
        let start = DispatchTime.now().uptimeNanoseconds
        for place in 0..<250 { for session in sessions { session.pointer(x: place, y: place, buttons: 0) } }
        sessions[0].key(0x61, isDown: true)
        // The bound is one patience of half a second, and one attempt to connect again a second later.
        #expect((DispatchTime.now().uptimeNanoseconds - start) / 1_000_000 < 10_000)
        #expect(input.counts.dropped["unreachable"] ?? 0 > 500)
        #expect(input.fault?.description.contains("has not answered") == true)
        #expect(input.counts.isBalanced)
    }

    @Test func whatAFrozenServerStillHoldsIsReleasedWhenItGoesOn() throws {
        let bed = try X11Bed()
        let painter = try X11Painter(bed.display)
        let input = X11Input(bed.screen)
        let session = input.begin()
        session.key(0xffe3, isDown: true)
        session.pointer(x: 1, y: 1, buttons: 1)
        painter.settle { painter.keysDown.count == 1 && painter.pointer.mask & 0x100 != 0 }
        bed.freeze()
        session.key(0x61, isDown: true)
        #expect(input.fault != nil)
        session.end()
        bed.thaw()
        painter.settle { painter.keysDown.count == 1 }
        let next = input.begin()
        for _ in 0..<1000 where input.fault != nil {
            next.pointer(x: 5, y: 5, buttons: 0)
            usleep(20_000)
        }
        painter.settle { painter.keysDown.isEmpty && painter.pointer.mask & 0x1f00 == 0 }
    }

    @Test func aServerThatComesBackIsUsedAgain() throws {
        let bed = try X11Bed()
        let input = X11Input(bed.screen)
        let session = input.begin()
        session.key(0x61, isDown: true)
        session.pointer(x: 5, y: 5, buttons: 1)
        bed.stop()
        session.pointer(x: 6, y: 6, buttons: 1)
        session.pointer(x: 6, y: 6, buttons: 1)
        #expect(input.counts.dropped["unreachable"] ?? 0 >= 1)
        try bed.start()
        let painter = try X11Painter(bed.display)
        for _ in 0..<500 where painter.pointer.x != 77 {
            session.pointer(x: 77, y: 78, buttons: 0)
            usleep(20_000)
        }
        #expect(painter.pointer.x == 77)
        #expect(painter.keysDown.isEmpty && painter.pointer.mask & 0x1f00 == 0)
        #expect(input.fault == nil)
        #expect(input.counts.isBalanced)
    }

    @Test func withoutAServerEventsAreDroppedAndCounted() {
        let input = X11Input(X11Screen(display: ":54321"))
        let session = input.begin()
        session.pointer(x: 1, y: 1, buttons: 1)
        session.key(0x61, isDown: true)
        #expect(input.counts.dropped["unreachable"] == 2)
        #expect(input.fault?.code == .unreachable)
        #expect(input.counts.isBalanced)
    }

    @Test func aMapFindsAKeyForEachCharacter() throws {
        // q and Q with @ on the third level, as in Germany; Shift, AltGr, Num Lock; 7 on the keypad; one key free.
        let keys: [[UInt32]] = [
            [0x71, 0x51, 0x71, 0x51, 0x40, 0x7d9], [0xffe1, 0, 0, 0, 0, 0], [0xfe03, 0, 0, 0, 0, 0],
            [0xff7f, 0, 0, 0, 0, 0], [0xff95, 0xffb7, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0], [0x79, 0, 0, 0, 0, 0],
        ]
        let map = KeyboardMap(
            first: 8, perCode: 6, keysyms: keys.flatMap { $0 }, modifiers: [[9], [], [], [], [11], [], [], [10]])
        #expect(map.levelThreeBit == 1 << 7 && map.numLockBit == 1 << 4)
        #expect(map.spare == [13])
        #expect(map.code(of: .shift) == 9)
        let at = try #require(map.places(of: Keysym(0x40), group: 0).first)
        #expect(at == .init(code: 8, shift: false, levelThree: true))
        #expect(at.changes(0, levelThreeBit: 1 << 7) == 1 && at.changes(1, levelThreeBit: 1 << 7) == 2)
        let capital = try #require(map.places(of: Keysym(0x51), group: 0).first)
        #expect(capital.needsShift(0) == true && capital.needsShift(KeyboardMap.lockBit) == false)
        let seven = try #require(map.places(of: Keysym(0xffb7), group: 0).first)
        #expect(!seven.isReachable(0) && seven.isReachable(1 << 4) && seven.needsShift(1 << 4) == false)
        // A key with one letter has both cases.
        #expect(map.places(of: Keysym(0x59), group: 0).first?.shift == true)
        // In a third group only keys are known that are the same in all.
        #expect(map.places(of: Keysym(0x51), group: 2).count == 1 && map.places(of: Keysym(0x79), group: 2).isEmpty)
        // By another number for the same character.
        #expect(map.places(of: Keysym(0x100_0040), group: 0).first == at)
        #expect(map.places(of: Keysym(0xe9), group: 0).isEmpty)
        #expect(KeyboardMap(first: 8, perCode: 0, keysyms: [], modifiers: []).places(of: Keysym(1), group: 0).isEmpty)
    }

    @Test func aPaceLetsABurstThroughAndThenSoManyASecond() {
        var pace = InputPace(now: 0)
        let burst = (0..<1000).filter { _ in pace.admits(now: 0) }.count
        #expect(burst == Int(InputPace.burst))
        var passed = 0
        for step in 1...100_000 where pace.admits(now: Int64(step) * 100_000) { passed += 1 }
        #expect(passed == Int(InputPace.rate) * 10)
        #expect((0..<1000).filter { _ in pace.admits(now: 1_000_000_000_000) }.count == Int(InputPace.burst))
    }
}
