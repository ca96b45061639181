import CXCB
import Glibc
import Loop

/// Pixels from the server: requests are sent in batches that fit the shared memory, and answered in order.
extension X11Source {
    /// A piece that was asked for.
    struct Piece {
        var rect: PixelRect
        /// Where in the shared memory it will be.
        var offset: Int
        var sequence: UInt32
    }

    /// Without shared memory a piece is one reply, which XCB holds whole.
    private static let mostReplyBytes = 256 << 10

    /// More rectangles than this are one to us: asking for each costs more than reading between them.
    private static let mostRects = 1024

    var bounds: PixelRect { picture.size.bounds }

    /// Reads all of the screen, as on the first look and after another size: all of it counts as changed.
    func readAll(_ found: inout Damage) throws(ScreenError) {
        isPictureStale = false
        damaged = nil
        revealed.removeAll()
        // Before the pixels are read: what is drawn from now on is told of anew.
        subtraction = xcb_damage_subtract(x.raw, damage, 0, 0).sequence
        try read([bounds]) { _ in }
        found.add(bounds)
    }

    /// Reads what a mask has hidden until now.
    func readRevealed(_ found: inout Damage) throws(ScreenError) {
        guard !revealed.isEmpty else { return }
        let rects = revealed.clipped(to: bounds).rects
        revealed.removeAll()
        try read(rects) { found.add($0) }
    }

    /// Reads what was damaged, and adds to `found` what of it is not as it was.
    ///
    /// The first rectangle is asked for in one go with the whole of the region: mostly that is all of it.
    func readDamage(_ found: inout Damage) throws(ScreenError) {
        guard let first = damaged else { return }
        damaged = nil
        isScrollWanted = true
        defer { isScrollWanted = false }
        let fetch = subtract()
        let queue = slices([shown(first)])
        var place = 0
        let sent = try send(queue, from: &place)
        let rest = try fetched(fetch, isSent: true).filter { !shown(first).contains($0) }
        try receive(sent) { found.add($0) }
        try read(Array(queue[place...]) + rest) { found.add($0) }
    }

    /// Asks for the damage so far, which is then forgotten by the server, as rectangles.
    func subtract() -> UInt32 {
        subtraction = xcb_damage_subtract(x.raw, damage, 0, parts).sequence
        return xcb_xfixes_fetch_region(x.raw, parts).sequence
    }

    /// What was subtracted, in the picture's coordinates: at most `Damage.limit` rectangles.
    func fetched(_ sequence: UInt32, isSent: Bool = false) throws(ScreenError) -> [PixelRect] {
        let reply = try x.reply(sequence, as: xcb_xfixes_fetch_region_reply_t.self, isSent: isSent)
        guard let reply else { return [] }
        let rects = UnsafeBufferPointer(
            start: xcb_xfixes_fetch_region_rectangles(reply.pointer),
            count: Int(xcb_xfixes_fetch_region_rectangles_length(reply.pointer)))
        guard rects.count <= Self.mostRects else { return [shown(PixelRect(reply.value.extents))] }
        var damage = Damage()
        for rect in rects { damage.add(shown(PixelRect(rect))) }
        return damage.rects
    }

    /// `rect` of the root window as a part of the picture.
    private func shown(_ rect: PixelRect) -> PixelRect {
        rect.offset(x: -area.x, y: -area.y).intersection(bounds)
    }

    /// Brings `rects` of the picture up to date.
    func read(_ rects: [PixelRect], changed: (PixelRect) -> Void) throws(ScreenError) {
        let queue = slices(rects)
        var place = 0
        while place < queue.count { try receive(send(queue, from: &place), changed: changed) }
    }

    private var capacity: Int { SharedSegment.bytes }

    /// What of `rects` is not concealed, cut where it is larger than the shared memory. Nothing else is ever asked for.
    private func slices(_ rects: [PixelRect]) -> [PixelRect] {
        let most = segment == nil ? Self.mostReplyBytes : capacity
        var slices: [PixelRect] = []
        for rect in rects.flatMap({ $0.without(concealed) }) {
            let rows = max(1, most / layout.stride(width: rect.width))
            var y = rect.y
            while y < rect.bottom {
                let height = min(rows, rect.bottom - y)
                slices.append(PixelRect(x: rect.x, y: y, width: rect.width, height: height))
                y += height
            }
        }
        return slices
    }

    /// Asks for as many pieces from `place` on as there is room for.
    private func send(_ queue: [PixelRect], from place: inout Int) throws(ScreenError) -> [Piece] {
        var (sent, used): ([Piece], Int) = ([], 0)
        while place < queue.count {
            let rect = queue[place]
            let bytes = layout.stride(width: rect.width) * rect.height
            guard used + bytes <= capacity else { break }
            sent.append(Piece(rect: rect, offset: used, sequence: ask(rect, offset: used)))
            used += (bytes + 63) & ~63
            place += 1
        }
        segment?.expect(used)
        try x.flush()
        return sent
    }

    private func ask(_ rect: PixelRect, offset: Int) -> UInt32 {
        let (left, top) = (Int16(truncatingIfNeeded: rect.x + area.x), Int16(truncatingIfNeeded: rect.y + area.y))
        let (width, height) = (UInt16(truncatingIfNeeded: rect.width), UInt16(truncatingIfNeeded: rect.height))
        let format = UInt8(XCB_IMAGE_FORMAT_Z_PIXMAP.rawValue)
        // Without what windows of depth 32 and some programs leave in the unused byte: it would count as a change.
        let planes: UInt32 = layout.kind == .direct ? 0xffffff : ~0
        guard let segment else {
            return xcb_get_image(x.raw, format, x.root, left, top, width, height, planes).sequence
        }
        return xcb_shm_get_image(
            x.raw, x.root, left, top, width, height, planes, format, segment.id, UInt32(offset)
        ).sequence
    }

    private func receive(_ sent: [Piece], changed: (PixelRect) -> Void) throws(ScreenError) {
        var refused = 0
        for piece in sent {
            let isRead = try segment == nil ? receiveReply(piece, changed) : receiveShared(piece, changed)
            tally.pieces += 1
            tally.pixelsRead += piece.rect.area
            if !isRead { refused += 1 }
        }
        guard refused > 0 else {
            refusals = 0
            return
        }
        // Mostly the screen has just become smaller than what was asked for: look at its size, and read all anew.
        tally.piecesRefused += refused
        refusals += 1
        isAreaStale = true
        isPictureStale = true
        guard refusals < Self.mostRefusals else {
            throw ScreenError(.unreachable, "\(x.address.sentence) does not give its picture")
        }
    }

    private func receiveShared(_ piece: Piece, _ changed: (PixelRect) -> Void) throws(ScreenError) -> Bool {
        let reply = try x.reply(piece.sequence, as: xcb_shm_get_image_reply_t.self, isSent: true)
        let bytes = layout.stride(width: piece.rect.width) * piece.rect.height
        guard let reply, let segment, Int(reply.value.size) == bytes else { return false }
        take(piece.rect, from: segment.memory + piece.offset, changed)
        return true
    }

    private func receiveReply(_ piece: Piece, _ changed: (PixelRect) -> Void) throws(ScreenError) -> Bool {
        let reply = try x.reply(piece.sequence, as: xcb_get_image_reply_t.self, isSent: true)
        let bytes = layout.stride(width: piece.rect.width) * piece.rect.height
        guard let reply, Int(xcb_get_image_data_length(reply.pointer)) >= bytes,
            let pixels = xcb_get_image_data(reply.pointer)
        else { return false }
        take(piece.rect, from: pixels, changed)
        // The reply is ours, and given back with all that is in it.
        memset(pixels, 0, bytes)
        return true
    }

    /// Takes pixels over. One part of a look may turn out to have been moved: what was moved is told as that, the rest as changed.
    private func take(_ rect: PixelRect, from pixels: UnsafeRawPointer, _ changed: (PixelRect) -> Void) {
        var move: ScreenCopy?
        if isScrollWanted, scroll == nil, hope.isWorthASearch(of: rect) {
            let found = picture.moved(rect, from: pixels, layout)
            hope.searched(found: found != nil)
            // Watchers move what they had before this look: what of it has changed since is not that any more.
            if let found, changedNow.clipped(to: found.from).isEmpty { move = found }
        }
        picture.update(rect, from: pixels, layout) { part in
            changedNow.add(part)
            for rest in move.map({ part.without($0.to) }) ?? [part] { changed(rest) }
        }
        if let move { scroll = move }
    }
}
