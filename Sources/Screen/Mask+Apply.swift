import Glibc

extension Mask {
    /// Tiles are compared and told of whole: small enough that a blinking cursor costs little, large enough that a whole screen
    /// takes a tenth of a millisecond. Pixels.
    static let tile = 64

    /// Brings `damage` of `raw` into `frame`, hidden where this mask says so.
    ///
    /// On the capture thread. Pixels that are hidden are never written to the frame, not even for a moment: a tile that an area
    /// touches is put together aside. Both have one size, else nothing is written. A frame that another mask was applied to
    /// before needs `cover` first.
    /// - Returns: where `frame` changed, by tiles of what was damaged: nothing where the pixels are what they were.
    public func apply(_ raw: borrowing RawFrame, _ damage: Damage, to frame: MaskedFrame) -> Damage {
        guard raw.size == frame.size else { return Damage() }
        let areas = areas(of: frame.size)
        let source = Source(pixels: raw.pixels, stride: raw.stride)
        var changed = Damage()
        frame.write { target in
            let work = Work(areas: areas, frame: frame, target: target)
            for rect in damage.clipped(to: frame.size.bounds).rects {
                Self.forEachTile(of: rect) { if work.bring($0, from: source) { changed.add($0) } }
            }
            work.blend(around: changed, all: false) { changed.add($0) }
        }
        return changed
    }

    /// Hides in `frame` what this mask hides, whatever was there. What another mask hid and this one does not stays as it is
    /// until it is applied to those pixels.
    /// - Returns: where `frame` may have changed.
    public func cover(_ frame: MaskedFrame) -> Damage {
        let areas = areas(of: frame.size)
        var changed = Damage()
        frame.write { target in
            let work = Work(areas: areas, frame: frame, target: target)
            for area in areas {
                guard let rect = area.rect else { continue }
                work.blacken(rect)
                changed.add(rect)
            }
            work.blend(around: changed, all: true) { _ in }
        }
        return changed
    }

    /// The tiles that `rect` touches, each clipped to it.
    static func forEachTile(of rect: PixelRect, _ body: (PixelRect) -> Void) {
        guard !rect.isEmpty else { return }
        for y in stride(from: rect.y / tile * tile, to: rect.bottom, by: tile) {
            for x in stride(from: rect.x / tile * tile, to: rect.right, by: tile) {
                body(PixelRect(x: x, y: y, width: tile, height: tile).intersection(rect))
            }
        }
    }
}

private struct Source {
    let pixels: UnsafeRawPointer
    let stride: Int
}

/// One writing of a frame, within its lock.
private struct Work {
    let areas: [Mask.Area]
    let frame: MaskedFrame
    let target: UnsafeMutableRawPointer

    private func offset(_ x: Int, _ y: Int) -> Int { y * frame.stride + x * 4 }

    /// - Returns: whether the frame's pixels changed.
    func bring(_ tile: PixelRect, from source: Source) -> Bool {
        var isPlain = true
        for area in areas {
            guard let rect = area.rect, !rect.intersection(tile).isEmpty else { continue }
            if rect.contains(tile) { return false }
            isPlain = false
        }
        if isPlain { return copy(tile, from: source) }
        var isChanged = false
        for part in tile.without(areas.map { $0.rect ?? tile }) where copy(part, from: source) { isChanged = true }
        return isChanged
    }

    private func copy(_ rect: PixelRect, from source: Source) -> Bool {
        var isChanged = false
        for y in rect.y..<rect.bottom {
            let from = source.pixels + y * source.stride + rect.x * 4
            let to = target + offset(rect.x, y)
            guard memcmp(from, to, rect.width * 4) != 0 else { continue }
            memcpy(to, from, rect.width * 4)
            isChanged = true
        }
        return isChanged
    }

    func blacken(_ rect: PixelRect) {
        for y in rect.y..<rect.bottom { memset(target + offset(rect.x, y), 0, rect.width * 4) }
    }

    /// Fills blurred areas whose surroundings changed, or all of them.
    func blend(around changed: Damage, all: Bool, _ tell: (PixelRect) -> Void) {
        for area in areas where area.style == .blur {
            guard let rect = area.rect else { continue }
            let ring = PixelRect(x: rect.x - 1, y: rect.y - 1, width: rect.width + 2, height: rect.height + 2)
            guard all || changed.rects.contains(where: { !$0.intersection(ring).isEmpty }) else { continue }
            blend(rect)
            tell(rect)
        }
    }

    /// Each pixel of `rect` becomes the mean of four just outside, left, right, above and below, the nearer the more; those that
    /// another area hides, and those outside of the screen, do not count.
    private func blend(_ rect: PixelRect) {
        let left = (rect.y..<rect.bottom).map { seen(rect.x - 1, $0) }
        let right = (rect.y..<rect.bottom).map { seen(rect.right, $0) }
        let above = (rect.x..<rect.right).map { seen($0, rect.y - 1) }
        let below = (rect.x..<rect.right).map { seen($0, rect.bottom) }
        let others = areas.compactMap(\.rect).filter { $0 != rect && !$0.intersection(rect).isEmpty }
        for y in 0..<rect.height {
            for x in 0..<rect.width {
                // What is black as well stays black.
                let isOther = others.contains {
                    $0.contains(PixelRect(x: rect.x + x, y: rect.y + y, width: 1, height: 1))
                }
                guard !isOther else { continue }
                var sum = SIMD4<Float>.zero
                var weight: Float = 0
                func take(_ pixel: SIMD4<Float>?, _ distance: Int) {
                    guard let pixel else { return }
                    let part = 1 / Float(distance)
                    sum += pixel * part
                    weight += part
                }
                take(left[y], x + 1)
                take(right[y], rect.width - x)
                take(above[x], y + 1)
                take(below[x], rect.height - y)
                let mean = weight > 0 ? sum / weight : .zero
                let place = target + offset(rect.x + x, rect.y + y)
                let bytes = SIMD4<UInt8>(mean.clamped(lowerBound: .zero, upperBound: SIMD4(repeating: 255)))
                place.storeBytes(
                    of: UInt32(bytes.x) | UInt32(bytes.y) << 8 | UInt32(bytes.z) << 16, as: UInt32.self)
            }
        }
    }

    private func seen(_ x: Int, _ y: Int) -> SIMD4<Float>? {
        let pixel = PixelRect(x: x, y: y, width: 1, height: 1)
        guard frame.size.bounds.contains(pixel), !areas.contains(where: { $0.rect?.contains(pixel) ?? true }) else {
            return nil
        }
        let value = UnsafeRawPointer(target).load(fromByteOffset: offset(x, y), as: UInt32.self)
        return SIMD4(Float(value & 255), Float(value >> 8 & 255), Float(value >> 16 & 255), 0)
    }
}

extension PixelRect {
    /// What of this one none of `others` covers, in pieces that do not overlap.
    func without(_ others: [PixelRect]) -> [PixelRect] {
        others.reduce(isEmpty ? [] : [self]) { pieces, other in pieces.flatMap { $0.without(other) } }
    }

    /// What of this one `other` does not cover: at most four, above, below, left and right of it.
    func without(_ other: PixelRect) -> [PixelRect] {
        let hole = intersection(other)
        guard !hole.isEmpty else { return isEmpty ? [] : [self] }
        return [
            PixelRect(x: x, y: y, width: width, height: hole.y - y),
            PixelRect(x: x, y: hole.bottom, width: width, height: bottom - hole.bottom),
            PixelRect(x: x, y: hole.y, width: hole.x - x, height: hole.height),
            PixelRect(x: hole.right, y: hole.y, width: right - hole.right, height: hole.height),
        ].filter { !$0.isEmpty }
    }
}
