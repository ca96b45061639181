import Loop

/// Whether DAMAGE tells the truth.
extension X11Source {
    /// Compares all of the screen with the picture. What differs is taken over and added to `found`; where no damage tells of it
    /// even now, the server has lied, and the next compare comes sooner.
    func compare(_ found: inout Damage) throws(ScreenError) {
        let start = Boottime.monotonicNanoseconds()
        tally.compares += 1
        var differing: [PixelRect] = []
        try read([bounds]) { differing.append($0) }
        // Asked after the pixels were read: what was drawn meanwhile, and honestly told of, is in it. Read once more, as it may
        // be newer than what was compared.
        let told = try fetched(subtract())
        damaged = nil
        try read(told) { found.add($0) }
        for rect in differing { found.add(rect) }
        let isLie = differing.contains { Self.isUntold($0, told: told) }
        if isLie { tally.lies += 1 }
        let now = Boottime.monotonicNanoseconds()
        clock.compared(now: now, took: now - start, foundLie: isLie)
    }

    /// Whether some tile of `rect`, all of whose tiles differ, is touched by nothing that was told.
    static func isUntold(_ rect: PixelRect, told: [PixelRect]) -> Bool {
        let tile = RawPicture.tile
        for row in rect.y / tile...max(rect.y, rect.bottom - 1) / tile {
            for column in rect.x / tile...max(rect.x, rect.right - 1) / tile {
                let cell = PixelRect(x: column * tile, y: row * tile, width: tile, height: tile)
                if !told.contains(where: { !$0.intersection(cell).isEmpty }) { return true }
            }
        }
        return false
    }
}
