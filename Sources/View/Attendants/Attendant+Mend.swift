import CVNCServer
import Loop
import Screen

/// What was sent by JPEG is sent again as it is, once it rests.
///
/// An attendant reads digits: the picture at rest is exact, at most half a second after its last change on a line that carries it. Fresh
/// changes always go first, and a line that still has something to carry is left alone.
extension Attendant {
    /// With more than so many bytes under way nothing is mended. Bytes.
    static let quietBytes = 8 << 10
    /// What has rested and found no quiet moment for so long gets a turn, as often as that. Milliseconds.
    static let overdue: Int64 = 150
    static let betweenTurns: Int64 = 60

    static func milliseconds() -> Int64 { Boottime.monotonicNanoseconds() / 1_000_000 }

    /// Whether the encoder may use JPEG for this viewer. For 8 bits a pixel it does as well, but viewers do not expect it.
    /// Source: the community's rfbproto, "Tight encoding": JPEG with 16 or 32 bits alone.
    func usesJPEG(_ client: Client) -> Bool {
        client.pointee.preferredEncoding == RFBEncoding.tight && client.pointee.turboQualityLevel != -1
            && client.pointee.format.bitsPerPixel > 8
    }

    /// Sends what has rested, if there is nothing else to send: some tiles of it.
    func mend(_ client: Client) {
        let now = Self.milliseconds()
        // Before it is due nothing is put off, or it never would be.
        guard let frame, let due = loss.due, due <= now else { return }
        guard backlog.unsent + Self.inPair(client.pointee.sock) <= Self.quietBytes else {
            return loss.postpone(at: now, by: LossMap.retry)
        }
        let tiles = loss.rested(at: now) { isRequested($0, client) }
        guard !tiles.isEmpty else { return loss.postpone(at: now, by: LossMap.rest) }
        mend(tiles, of: frame, client, at: now)
    }

    /// What rests beside something that never does, as a video that is larger than the line, gets a turn all the same: one in a while.
    /// - Returns: whether it had one, and the viewer's request is answered.
    func mendOverdue(_ client: Client) -> Bool {
        guard !loss.isEmpty, !wantsAll, let frame, isEmpty(client.pointee.copyRegion) else { return false }
        let now = Self.milliseconds()
        guard let due = loss.due, due + Self.overdue <= now, lastMend + Self.betweenTurns <= now else { return false }
        let tiles = loss.rested(at: now) { isRequested($0, client) }
        guard !tiles.isEmpty else { return false }
        let fresh = sraRgnCreateRgn(client.pointee.modifiedRegion)
        defer { bringBack(fresh, client) }
        sraRgnMakeEmpty(client.pointee.modifiedRegion)
        mend(tiles, of: frame, client, at: now)
        return true
    }

    private func mend(_ tiles: [PixelRect], of frame: MaskedFrame, _ client: Client, at now: Int64) {
        mark(tiles)
        let region = wanted(client)
        defer { sraRgnDestroy(region) }
        guard send(rects(of: region), of: frame, to: client, exactly: true) else {
            ending = .encoder
            return
        }
        for tile in tiles { loss.mended(tile) }
        lastMend = now
        tally.updates += 1
        tally.mends += 1
    }

    /// How long there is nothing to mend and no memory to give back, in milliseconds; -1: until something else happens.
    func timeout() -> Int32 {
        let mend = mendTimeout()
        guard let trimDue else { return mend }
        let trim = Int32(clamping: max(0, trimDue - Self.milliseconds()))
        return mend < 0 ? trim : min(mend, trim)
    }

    /// Gives back what large pictures needed, some time after the last one.
    func trim() {
        guard let due = trimDue, due <= Self.milliseconds() else { return }
        trimDue = nil
        scratch.trim(unusedSince: due - ScratchPool.idle)
        share.trim(at: due)
    }

    private func mendTimeout() -> Int32 {
        guard let due = loss.due, let client else { return -1 }
        // Its next request wakes.
        guard !isEmpty(client.pointee.requestedRegion) || flow.continuous != nil else { return -1 }
        return Int32(clamping: max(0, due - Self.milliseconds()))
    }

    /// Notes how `rects` were sent, which lie in `pixels`. What of them may have been a copy of what the viewer had, exact or not, lies
    /// within `copied`.
    func note(
        _ rects: [PixelRect], byJPEG: Bool, besides copied: PixelRect, _ pixels: UnsafeRawPointer, stride: Int
    ) {
        guard byJPEG || !loss.isEmpty else { return }
        let now = Self.milliseconds()
        for rect in rects {
            if byJPEG, ColourCount.isMore(than: ColourCount.fewest, in: rect, of: pixels, stride: stride) {
                loss.lost(rect, at: now)
            } else if copied.intersection(rect).isEmpty {
                loss.mended(rect)
            }
        }
    }
}
