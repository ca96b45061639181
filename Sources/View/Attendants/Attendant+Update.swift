import CLinux
import CVNCServer
import Glibc
import Screen

/// How a picture is sent without ever being wrong.
///
/// The encoders read pixels more than once: Tight finds an area to be of one colour, then reads one pixel of it again. So they never
/// see the live frame. Just before an update, exactly what it will send is copied out of the frame under its lock, and
/// the encoder reads the copy. The news are taken before the copy is made: what the copy holds is at least as new as what was told.
extension Attendant {
    typealias Client = UnsafeMutablePointer<rfbClientRec>

    /// More rectangles than this in what is still to be sent become one around them: a viewer that asks for little, or nothing, while
    /// the screen changes everywhere must not cost memory.
    static let mostRects = 400

    /// Pixels of one update that answers for changes: some 4 ms of encoding at worst on a small machine. Without loss zlib works on each
    /// pixel; JPEG and plain pixels are ten times as fast.
    func mostPixels(_ client: Client) -> Int {
        let encoding = client.pointee.preferredEncoding
        let isCheap = encoding == RFBEncoding.raw || encoding == RFBEncoding.hextile || usesJPEG(client)
        return isCheap ? 512 << 10 : 32 << 10
    }

    /// Sends an update, if the viewer has asked for one, there is something to send, and the gate has room.
    func update(_ client: Client) {
        if let area = flow.continuous, let size = frame?.size { ask(client, area.intersection(size.bounds)) }
        // Until then the news stay in the mailbox, where they are merged.
        guard !isEmpty(client.pointee.requestedRegion) else { return }
        guard backlog.hasRoom(besides: { Self.inPair(client.pointee.sock) }) else {
            tally.waits += 1
            loss.postpone(at: Self.milliseconds(), by: LossMap.retry)
            return
        }
        takeNews(client)
        // A size that changed and changed back is pending in the library all the same, and would be sent instead of pixels.
        let isPending = client.pointee.useNewFBSize != 0 && client.pointee.newFBSizePending != 0
        if knownSize != frame?.size || isPending { return tellSize(client) }
        if mendOverdue(client) { return }
        let rest = holdBack(client)
        defer { bringBack(rest, client) }
        let region = wanted(client)
        defer { sraRgnDestroy(region) }
        let hasCursor = client.pointee.enableCursorShapeUpdates != 0 && client.pointee.cursorWasChanged != 0
        if isEmpty(region) {
            guard hasCursor else { return mend(client) }
            _ = rfbUpdateClient(client)
        } else {
            guard let frame, send(rects(of: region), of: frame, to: client, exactly: false) else {
                ending = .encoder
                return
            }
        }
        wantsAll = false
        tally.updates += 1
        if hasCursor { tally.cursors += 1 }
    }

    /// Encodes `rects` from a copy of them. With `exactly` without JPEG, whatever the viewer allows.
    func send(_ rects: [PixelRect], of frame: MaskedFrame, to client: Client, exactly: Bool) -> Bool {
        let pixels = rects.reduce(0) { $0 + $1.area }
        guard let slot = scratch.take(frame.stride * frame.size.height, writing: pixels * 4) else { return false }
        lastCopied = frame.copy(rects, to: slot.base)
        tally.pixels += pixels
        screen.pointee.frameBuffer = slot.base.assumingMemoryBound(to: CChar.self)
        var isMade = true
        var hasPictures = false
        if !exactly, let wish = pictureWish(client),
            case let strips = PictureStrips(of: rects, in: slot.base, stride: frame.stride), !strips.pictures.isEmpty
        {
            hasPictures = true
            isMade = send(strips, wish, of: frame, slot.base, to: client)
            note(strips.rest, byJPEG: true, besides: .empty, slot.base, stride: frame.stride)
        } else {
            encode(rects, slot.base, stride: frame.stride, to: client, exactly: exactly)
        }
        screen.pointee.frameBuffer = nil
        let now = Self.milliseconds()
        let isLarge = scratch.giveBack(slot, written: pixels * 4, at: now)
        if isLarge || hasPictures { trimDue = now + ScratchPool.idle }
        return isMade
    }

    /// The library makes the whole update.
    private func encode(
        _ rects: [PixelRect], _ pixels: UnsafeRawPointer, stride: Int, to client: Client, exactly: Bool
    ) {
        let byJPEG = !exactly && usesJPEG(client)
        let copied = box(of: client.pointee.copyRegion)
        // Its qualities are the viewer's wish, which it says anew with its encodings: put back afterwards.
        let (quality, turbo) = (client.pointee.tightQualityLevel, client.pointee.turboQualityLevel)
        if !byJPEG { (client.pointee.tightQualityLevel, client.pointee.turboQualityLevel) = (-1, -1) }
        _ = rfbUpdateClient(client)
        (client.pointee.tightQualityLevel, client.pointee.turboQualityLevel) = (quality, turbo)
        note(rects, byJPEG: byJPEG, besides: copied, pixels, stride: stride)
    }

    /// What the next update sends as pixels, at most: what changed, and what was moved if it turns out that it cannot be copied, as far
    /// as it was asked for.
    func wanted(_ client: Client) -> OpaquePointer? {
        let region = sraRgnCreateRgn(client.pointee.modifiedRegion)
        sraRgnOr(region, client.pointee.copyRegion)
        _ = sraRgnAnd(region, client.pointee.requestedRegion)
        return region
    }

    /// Takes out of what changed what the next update is not to hold. A viewer that asked for a picture, and not for changes, gets it
    /// in one: programs that take a single picture look at the first update alone.
    /// - Returns: what was taken out; nil for nothing.
    private func holdBack(_ client: Client) -> OpaquePointer? {
        guard !wantsAll else { return nil }
        let region = sraRgnCreateRgn(client.pointee.modifiedRegion)
        _ = sraRgnAnd(region, client.pointee.requestedRegion)
        guard let chosen = slices.next(of: rects(of: region), most: mostPixels(client)) else {
            sraRgnDestroy(region)
            return nil
        }
        for rect in chosen { subtract(rect, from: region) }
        sraRgnSubtract(client.pointee.modifiedRegion, region)
        tally.slices += 1
        return region
    }

    func bringBack(_ rest: OpaquePointer?, _ client: Client) {
        guard let rest else { return }
        sraRgnOr(client.pointee.modifiedRegion, rest)
        sraRgnDestroy(rest)
        // One that does not ask would not come back for it.
        if flow.continuous != nil { mailbox.wake() }
    }

    // MARK: News

    private func takeNews(_ client: Client) {
        guard mailbox.hasNews else { return }
        let news = mailbox.take()
        if let next = news.frame { adopt(next, client) }
        if let shape = news.cursor {
            cursor = CursorPicture(shape)
            if client.pointee.enableCursorShapeUpdates != 0 { client.pointee.cursorWasChanged = -1 }
        }
        mark(news.before.rects)
        if let (copy, generation) = news.copy {
            if lastCopied < generation {
                let region = region(of: copy.to)
                rfbScheduleCopyRegion(screen, region, Int32(copy.dx), Int32(copy.dy))
                sraRgnDestroy(region)
                loss.moved(copy, at: Self.milliseconds())
                tally.copies += 1
            } else {
                // Some of what the viewer got since was moved already: copied once more, it would be in two places.
                mark([copy.to])
                tally.copiesAsPixels += 1
            }
        }
        mark(news.after.rects)
        bound(client)
    }

    func mark(_ rects: [PixelRect]) {
        for rect in rects {
            rfbMarkRectAsModified(screen, Int32(rect.x), Int32(rect.y), Int32(rect.right), Int32(rect.bottom))
        }
    }

    private func bound(_ client: Client) {
        guard sraRgnCountRects(client.pointee.modifiedRegion) > Self.mostRects else { return }
        let box = sraRgnBBox(client.pointee.modifiedRegion)
        sraRgnOr(client.pointee.modifiedRegion, box)
        sraRgnDestroy(box)
    }

    // MARK: Size

    /// From now on `next` is read. Where its size is new the library is told, between updates and on this thread.
    private func adopt(_ next: MaskedFrame, _ client: Client) {
        let isOfOtherSize = next.size != frame?.size
        frame = next
        lastCopied = 0
        guard isOfOtherSize else { return }
        fit(screen, next.size)
        loss.begin(next.size)
        // The library took its own idea of the format for new, and made the translation for it.
        _ = rfbSetTranslateFunction(client)
    }

    /// Sets the screen's size and our format: memory order blue, green, red, 0.
    func fit(_ screen: UnsafeMutablePointer<rfbScreenInfo>, _ size: PixelSize) {
        rfbNewFramebuffer(screen, nil, Int32(size.width), Int32(size.height), 8, 3, 4)
        screen.pointee.depth = 24
        screen.pointee.serverFormat.depth = 24
        screen.pointee.serverFormat.redShift = 16
        screen.pointee.serverFormat.greenShift = 8
        screen.pointee.serverFormat.blueShift = 0
    }

    /// Tells the viewer the size that it does not know. No pixels follow: what was asked for was of the old size, and the viewer asks anew.
    private func tellSize(_ client: Client) {
        guard let size = frame?.size else { return }
        guard client.pointee.useNewFBSize != 0 else {
            ending = .cannotFollowSize
            return
        }
        client.pointee.newFBSizePending = -1
        _ = rfbUpdateClient(client)
        sraRgnMakeEmpty(client.pointee.requestedRegion)
        knownSize = size
        tally.sizes += 1
        // One that does not ask gets the pixels all the same.
        if flow.continuous != nil { mailbox.wake() }
    }

    // MARK: Regions

    func isEmpty(_ region: OpaquePointer?) -> Bool { sraRgnEmpty(region) != 0 }

    /// Whether the viewer has asked for all of `rect`.
    func isRequested(_ rect: PixelRect, _ client: Client) -> Bool {
        let region = region(of: rect)
        defer { sraRgnDestroy(region) }
        sraRgnSubtract(region, client.pointee.requestedRegion)
        return isEmpty(region)
    }

    private func region(of rect: PixelRect) -> OpaquePointer? {
        sraRgnCreateRect(Int32(rect.x), Int32(rect.y), Int32(rect.right), Int32(rect.bottom))
    }

    func subtract(_ rect: PixelRect, from region: OpaquePointer?) {
        let part = self.region(of: rect)
        sraRgnSubtract(region, part)
        sraRgnDestroy(part)
    }

    /// As if the viewer had asked for what changes in `area`.
    private func ask(_ client: Client, _ area: PixelRect) {
        guard !area.isEmpty else { return }
        let region = region(of: area)
        sraRgnOr(client.pointee.requestedRegion, region)
        sraRgnDestroy(region)
    }

    private func box(of region: OpaquePointer?) -> PixelRect {
        guard let box = sraRgnBBox(region) else { return .empty }
        defer { sraRgnDestroy(box) }
        return rects(of: box).first ?? .empty
    }

    func rects(of region: OpaquePointer?) -> [PixelRect] {
        var rects: [PixelRect] = []
        let iterator = sraRgnGetIterator(region)
        var rect = sraRect()
        while sraRgnIteratorNext(iterator, &rect) != 0 {
            rects.append(
                PixelRect(
                    x: Int(rect.x1), y: Int(rect.y1), width: Int(rect.x2 - rect.x1), height: Int(rect.y2 - rect.y1)))
        }
        sraRgnReleaseIterator(iterator)
        return rects
    }

    /// Bytes on their way through the pair to the gate. Source: unix(7), SIOCOUTQ.
    static func inPair(_ socket: Int32) -> Int {
        max(0, Int(lw_unsent_bytes(socket)))
    }
}
