import Glibc
import Lane
import Loop
import Synchronization
import Testing

@testable import Screen

/// Waits until `condition` holds: what has no descriptor to wait for.
private func awaitTrue(_ what: String = "", _ condition: () -> Bool) throws {
    let deadline = Boottime.milliseconds() + 10_000
    while !condition() {
        try #require(Boottime.milliseconds() < deadline, "it did not come: \(what)")
        _ = poll(nil, 0, 1)
    }
}

/// Waits for news in `mailbox`, as a watcher does.
private func news(_ mailbox: Mailbox) throws -> ScreenNews {
    var entry = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
    try #require(poll(&entry, 1, 10_000) > 0, "no news")
    mailbox.settle()
    return mailbox.take()
}

private func pixels(_ frame: MaskedFrame) -> [UInt32] {
    var pixels = [UInt32](repeating: 0, count: frame.size.width * frame.size.height)
    pixels.withUnsafeMutableBytes { bytes in
        if let base = bytes.baseAddress { frame.copy([frame.size.bounds], to: base) }
    }
    return pixels.map { UInt32(littleEndian: $0) }
}

private let size = PixelSize(width: 100, height: 80)

private func makeCapture(
    _ screen: ScriptedScreen, _ mask: Mask = .nothing, report: @escaping @Sendable (Notice) -> Void = { _ in }
)
    throws -> Capture
{
    try Capture(mask: mask, report: report) { () throws(ScreenError) in try screen.makeSource() }
}

@Suite(.serialized) struct CaptureTests {
    @Test func aWatcherGetsAFrameOfNowAndThenChanges() throws {
        let screen = try ScriptedScreen(size: size)
        let capture = try makeCapture(screen)
        screen.fill(size.bounds, 0x11_2233)
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let first = try news(mailbox)
        let frame = try #require(first.frame)
        #expect(first.before.rects == [size.bounds])
        #expect(pixels(frame).allSatisfy { $0 == 0x11_2233 })
        screen.fill(PixelRect(x: 5, y: 6, width: 7, height: 8), 0xff)
        let change = try news(mailbox)
        #expect(change.frame == nil)
        #expect(change.before.rects == [PixelRect(x: 5, y: 6, width: 7, height: 8)])
        #expect(pixels(frame)[6 * 100 + 5] == 0xff)
        capture.unwatch(mailbox)
        try awaitTrue { screen.sources == 0 }
        #expect(capture.frame == nil)
        capture.stop()
    }

    @Test func theSourceLivesWhileSomebodyWatches() throws {
        let screen = try ScriptedScreen(size: size)
        let capture = try makeCapture(screen)
        let (one, other) = (try Mailbox(), try Mailbox())
        for round in 0..<3 {
            #expect(capture.watch(one))
            _ = try news(one)
            #expect(capture.watch(other))
            _ = try news(other)
            #expect(screen.sources == 1)
            capture.unwatch(one)
            screen.fill(size.bounds, 0x55 + UInt32(round))
            _ = try news(other)
            #expect(screen.sources == 1)
            capture.unwatch(other)
            try awaitTrue { screen.sources == 0 }
        }
        #expect(capture.counts.sourcesMade == 3)
        capture.stop()
        #expect(!capture.watch(one))
    }

    @Test func aMaskIsInForceWhenSettingItReturns() throws {
        let screen = try ScriptedScreen(size: size)
        let capture = try makeCapture(screen)
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let frame = try #require(try news(mailbox).frame)
        let area = PixelRect(x: 10, y: 10, width: 30, height: 20)
        for round in 0..<200 {
            let colour = UInt32(round + 1)
            screen.fill(size.bounds, colour)
            try awaitTrue { pixels(frame)[0] == colour }
            capture.setMask(Mask(areas: [.init(area)]))
            // No waiting here: it holds already, and for what is drawn from now on.
            #expect(Self.inside(frame, area).allSatisfy { $0 == 0 })
            screen.fill(area, 0xff_0000)
            #expect(Self.inside(frame, area).allSatisfy { $0 == 0 })
            #expect(!mailbox.take().before.isEmpty)
            capture.setMask(.nothing)
            try awaitTrue { Self.inside(frame, area).allSatisfy { $0 == 0xff_0000 } }
        }
        capture.setMask(.everything)
        #expect(pixels(frame).allSatisfy { $0 == 0 })
        capture.unwatch(mailbox)
        capture.stop()
        try awaitTrue { screen.sources == 0 }
    }

    private static func inside(_ frame: MaskedFrame, _ area: PixelRect) -> [UInt32] {
        let all = pixels(frame)
        return (area.y..<area.bottom).flatMap { y in
            all[y * frame.size.width + area.x..<y * frame.size.width + area.right]
        }
    }

    @Test func aFirstFrameIsMaskedToo() throws {
        let screen = try ScriptedScreen(size: size)
        screen.fill(size.bounds, 0xab_cdef)
        let capture = try makeCapture(screen, .everything)
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let frame = try #require(try news(mailbox).frame)
        #expect(pixels(frame).allSatisfy { $0 == 0 })
        let looks = capture.counts.looks
        screen.fill(PixelRect(x: 0, y: 0, width: 50, height: 50), 0xff)
        try awaitTrue { capture.counts.looks > looks }
        // Nobody hears of what nobody may see.
        #expect(!mailbox.hasNews)
        #expect(pixels(frame).allSatisfy { $0 == 0 })
        screen.resize(PixelSize(width: 60, height: 60))
        screen.fill(PixelRect(x: 0, y: 0, width: 50, height: 50), 0xff)
        let next = try #require(try news(mailbox).frame)
        #expect(next.size == PixelSize(width: 60, height: 60))
        #expect(pixels(next).allSatisfy { $0 == 0 })
        capture.unwatch(mailbox)
        capture.stop()
    }

    @Test func aMoveIsToldWithTheGenerationThatHoldsIt() throws {
        let screen = try ScriptedScreen(size: size)
        let capture = try makeCapture(screen)
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let frame = try #require(try news(mailbox).frame)
        let before = frame.generation
        screen.scroll(PixelRect(x: 0, y: 20, width: 100, height: 40), dx: 0, dy: -10)
        let told = try news(mailbox)
        let copy = try #require(told.copy)
        #expect(copy.copy == ScreenCopy(from: PixelRect(x: 0, y: 20, width: 100, height: 40), dx: 0, dy: -10))
        #expect(copy.generation > before)
        #expect(told.before.isEmpty && told.after.isEmpty)
        // Where a mask lies on it, on either side, it is a change.
        for (round, area) in [PixelRect(x: 5, y: 55, width: 3, height: 3), PixelRect(x: 5, y: 11, width: 3, height: 3)]
            .enumerated()
        {
            // Only what differs is told.
            for y in 0..<size.height {
                screen.fill(PixelRect(x: 0, y: y, width: size.width, height: 1), UInt32(1000 * (round + 1) + y))
            }
            try awaitTrue { pixels(frame).last == UInt32(1000 * (round + 1) + size.height - 1) }
            _ = mailbox.take()
            capture.setMask(Mask(areas: [.init(area)]))
            _ = try news(mailbox)
            try awaitTrue { !mailbox.hasNews }
            screen.scroll(PixelRect(x: 0, y: 20, width: 100, height: 40), dx: 0, dy: -10)
            let told = try news(mailbox)
            #expect(told.copy == nil)
            #expect(told.before.bounds == PixelRect(x: 0, y: 10, width: 100, height: 40))
            capture.setMask(.nothing)
            _ = try news(mailbox)
        }
        capture.unwatch(mailbox)
        capture.stop()
    }

    @Test func aScreenThatGoesIsBlackAndComesBack() throws {
        let screen = try ScriptedScreen(size: size)
        let notices = Mutex<[String]>([])
        let capture = try makeCapture(screen) { notice in notices.withLock { $0.append(notice.message) } }
        let mailbox = try Mailbox()
        screen.fill(size.bounds, 0x77_7777)
        #expect(capture.watch(mailbox))
        let frame = try #require(try news(mailbox).frame)
        screen.setThere(false)
        try awaitTrue { capture.problem?.code == .unreachable }
        #expect(pixels(frame).allSatisfy { $0 == 0 })
        #expect(!(try news(mailbox)).before.isEmpty)
        screen.setThere(true)
        try awaitTrue { pixels(frame).allSatisfy { $0 == 0x77_7777 } }
        #expect(capture.problem == nil)
        #expect(notices.withLock { $0 } == ["screen is gone", "screen is back"])
        capture.unwatch(mailbox)
        capture.stop()
        try awaitTrue { screen.sources == 0 }
    }

    @Test func whoWatchesAScreenThatIsNotThereSeesBlack() throws {
        let screen = try ScriptedScreen(size: size)
        screen.setThere(false)
        let capture = try makeCapture(screen)
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        let frame = try #require(try news(mailbox).frame)
        #expect(frame.size == Capture.blindSize)
        #expect(pixels(frame).allSatisfy { $0 == 0 })
        // With the screen comes its size.
        screen.fill(size.bounds, 0x77_7777)
        screen.setThere(true)
        let next = try #require(try news(mailbox).frame)
        #expect(next.size == size)
        #expect(pixels(next).allSatisfy { $0 == 0x77_7777 })
        capture.unwatch(mailbox)
        capture.stop()
    }

    @Test func moreThanCanWatchAreRefused() throws {
        let screen = try ScriptedScreen(size: size)
        let capture = try makeCapture(screen)
        var mailboxes: [Mailbox] = []
        for _ in 0..<Capture.mostWatchers {
            let mailbox = try Mailbox()
            mailboxes.append(mailbox)
            #expect(capture.watch(mailbox))
        }
        #expect(!capture.watch(try Mailbox()))
        #expect(capture.watch(mailboxes[0]), "who watches already may go on")
        for mailbox in mailboxes { capture.unwatch(mailbox) }
        #expect(capture.watchers == 0)
        capture.stop()
        try awaitTrue { screen.sources == 0 }
    }
}

@Suite struct MailboxTests {
    let frame: MaskedFrame
    let mailbox: Mailbox

    init() throws {
        frame = try MaskedFrame(size: size)
        mailbox = try Mailbox()
    }

    func isReadable() -> Bool {
        var entry = pollfd(fd: mailbox.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 0) > 0
    }

    static func rect(_ x: Int) -> PixelRect { PixelRect(x: x, y: 0, width: 1, height: 1) }

    @Test func onlyWhatWasTakenIsToldAnew() {
        #expect(!isReadable())
        mailbox.post(Damage(Self.rect(1)))
        #expect(isReadable())
        mailbox.settle()
        mailbox.post(Damage(Self.rect(2)))
        #expect(!isReadable(), "it was woken for the first already")
        #expect(mailbox.take().before.rects == [Self.rect(1), Self.rect(2)])
        #expect(!mailbox.hasNews)
        mailbox.post(Damage(Self.rect(3)))
        #expect(isReadable())
        mailbox.settle()
        mailbox.wake()
        #expect(isReadable())
        #expect(mailbox.take().before.rects == [Self.rect(3)])
    }

    @Test func theOrderOfChangesAndMovesIsKept() {
        let copy = ScreenCopy(from: Self.rect(50), dx: 1, dy: 0)
        let next = ScreenCopy(from: Self.rect(60), dx: 2, dy: 0)
        mailbox.post(Damage(Self.rect(1)))
        mailbox.post(copy, generation: 5)
        mailbox.post(Damage(Self.rect(2)))
        let first = mailbox.take()
        #expect(first.before.rects == [Self.rect(1)])
        #expect(first.copy?.copy == copy && first.copy?.generation == 5)
        #expect(first.after.rects == [Self.rect(2)])
        mailbox.post(copy, generation: 5)
        mailbox.post(Damage(Self.rect(2)))
        mailbox.post(next, generation: 7)
        mailbox.post(Damage(Self.rect(3)))
        let second = mailbox.take()
        #expect(
            Set(second.before.rects) == [copy.to, Self.rect(2)], "the earlier move is a change now, before the other")
        #expect(second.copy?.copy == next && second.copy?.generation == 7)
        #expect(second.after.rects == [Self.rect(3)])
    }

    @Test func aNewFrameEndsAllThatWasOfTheOld() {
        mailbox.post(CursorShape(size: PixelSize(width: 1, height: 1), hotX: 0, hotY: 0, pixels: [1, 2, 3, 4]))
        mailbox.post(Damage(Self.rect(1)))
        mailbox.post(ScreenCopy(from: Self.rect(50), dx: 1, dy: 0), generation: 5)
        mailbox.post(frame)
        let news = mailbox.take()
        #expect(news.frame === frame)
        #expect(news.before.rects == [size.bounds])
        #expect(news.copy == nil && news.after.isEmpty)
        #expect(news.cursor?.pixels == [1, 2, 3, 4], "the pointer is the same")
    }

    @Test func itIsBoundedHoweverMuchComes() {
        for step in 0..<10_000 {
            mailbox.post(Damage(PixelRect(x: step % 97, y: step % 71, width: 2, height: 1)))
            if step % 50 == 0 {
                mailbox.post(ScreenCopy(from: Self.rect(step % 90), dx: 1, dy: 0), generation: UInt64(step))
            }
        }
        let news = mailbox.take()
        #expect(news.before.rects.count <= Damage.limit && news.after.rects.count <= Damage.limit)
    }
}

@Suite struct TestCardTests {
    @Test func itShowsBarsANameAndASecondThatPasses() throws {
        let card = try TestCard(size: PixelSize(width: 320, height: 240), label: "lane 7")
        let first = try card.look()
        #expect(first.damage.bounds == card.size.bounds)
        let frame = try MaskedFrame(size: card.size)
        card.withFrame { _ = Mask.nothing.apply($0, Damage(card.size.bounds), to: frame) }
        let shown = pixels(frame)
        #expect(shown[5 * 320 + 5] == 0xff_ffff && shown[5 * 320 + 60] == 0xff_ff00)
        #expect(shown.filter { $0 == 0xff_ffff }.count > 320 * 240 / 16 + 200, "the name is there too")
        let due = try #require(card.nextLook)
        #expect(due - Boottime.monotonicNanoseconds() <= 1_000_000_000)
        #expect(try card.look().damage.isEmpty || Boottime.monotonicNanoseconds() >= due)
    }

    @Test func anotherNameIsAnotherPicture() throws {
        func picture(_ label: String) throws -> [UInt32] {
            let card = try TestCard(size: PixelSize(width: 200, height: 100), label: label)
            let frame = try MaskedFrame(size: card.size)
            card.withFrame { _ = Mask.nothing.apply($0, Damage(card.size.bounds), to: frame) }
            return pixels(frame)
        }
        #expect(try picture("lane 7") != picture("lane 8"))
        #expect(try picture("") == picture(""))
        _ = try picture("einé 7 / sehr langer Name, der nirgends hineinpasst")
    }

    @Test func whatCannotBeShownIsRefusedInWords() {
        let error = #expect(throws: ScreenError.self) {
            try TestCard(size: PixelSize(width: 63, height: 100), label: "x")
        }
        #expect(error?.code == .unsupported)
        #expect(throws: ScreenError.self) { try TestCard(size: PixelSize(width: 20_000, height: 100), label: "x") }
    }

    @Test func captureShowsIt() throws {
        let capture = try Capture(mask: .nothing) { () throws(ScreenError) in
            try TestCard(size: PixelSize(width: 160, height: 120), label: "lane 7")
        }
        let mailbox = try Mailbox()
        #expect(capture.watch(mailbox))
        #expect(try news(mailbox).frame?.size == PixelSize(width: 160, height: 120))
        // The second passes by itself.
        #expect(!(try news(mailbox)).before.isEmpty)
        capture.unwatch(mailbox)
        capture.stop()
    }
}
