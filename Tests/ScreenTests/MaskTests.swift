import Testing

@testable import Screen

/// What is hidden has no part in what is shown, and what is not is shown as it is.
@Suite struct MaskTests {
    private struct Picture {
        let size: PixelSize
        var bytes: [UInt8]

        init(_ size: PixelSize, _ random: inout some RandomNumberGenerator) {
            self.size = size
            bytes = (0..<size.width * size.height * 4).map {
                $0 % 4 == 3 ? 0 : UInt8.random(in: 0...255, using: &random)
            }
        }

        func apply(_ mask: Mask, _ damage: Damage, to frame: MaskedFrame) -> Damage {
            bytes.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return Damage() }
                return mask.apply(RawFrame(size: size, stride: size.width * 4, pixels: base), damage, to: frame)
            }
        }

        mutating func scribble(_ rect: PixelRect, _ random: inout some RandomNumberGenerator) {
            for y in rect.y..<rect.bottom {
                for x in rect.x..<rect.right {
                    for color in 0..<3 {
                        bytes[(y * size.width + x) * 4 + color] = .random(in: 0...255, using: &random)
                    }
                }
            }
        }

        func pixel(_ x: Int, _ y: Int) -> ArraySlice<UInt8> {
            bytes[(y * size.width + x) * 4..<(y * size.width + x) * 4 + 4]
        }
    }

    private static func pixels(_ frame: MaskedFrame) -> [UInt8] {
        var bytes = [UInt8](repeating: 1, count: frame.stride * frame.size.height)
        bytes.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { frame.copy([frame.size.bounds], to: base) }
        }
        return bytes
    }

    private static func rect(within size: PixelSize, _ random: inout some RandomNumberGenerator) -> PixelRect {
        PixelRect(
            x: .random(in: -20..<size.width, using: &random), y: .random(in: -20..<size.height, using: &random),
            width: .random(in: 1...120, using: &random), height: .random(in: 1...90, using: &random))
    }

    /// Two screens that differ in nothing but what is hidden give the same frame after any changes, and after any masks.
    @Test func whatIsHiddenHasNoPartInWhatIsShown() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<60 {
            let size = PixelSize(
                width: .random(in: 1...300, using: &random), height: .random(in: 1...200, using: &random))
            var mask = Mask(
                areas: (0..<Int.random(in: 1...4, using: &random)).map { _ in
                    Mask.Area(
                        Int.random(in: 0..<12, using: &random) == 0 ? nil : Self.rect(within: size, &random),
                        style: Bool.random(using: &random) ? .black : .blur)
                })
            var one = Picture(size, &random)
            var other = one
            let frames = (try MaskedFrame(size: size), try MaskedFrame(size: size))
            for _ in 0..<6 {
                for area in mask.areas(of: size) { if let rect = area.rect { other.scribble(rect, &random) } }
                let damage = Damage(size.bounds)
                let changed = (one.apply(mask, damage, to: frames.0), other.apply(mask, damage, to: frames.1))
                #expect(Self.pixels(frames.0) == Self.pixels(frames.1))
                #expect(changed.0 == changed.1)
                // What is seen of both changes alike.
                let rect = Self.rect(within: size, &random).intersection(size.bounds)
                one.scribble(rect, &random)
                var next = one
                for area in mask.areas(of: size) {
                    if let hidden = area.rect { next.scribble(hidden, &random) }
                }
                other = next
                // The next mask hides at least as much: what one hid before may be on neither frame.
                if Bool.random(using: &random) {
                    mask.areas.append(Mask.Area(Self.rect(within: size, &random)))
                    #expect(mask.cover(frames.0) == mask.cover(frames.1))
                    #expect(Self.pixels(frames.0) == Self.pixels(frames.1))
                }
            }
        }
    }

    @Test func whatIsNotHiddenIsShownAsItIsAndWhatChangedIsTold() throws {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<40 {
            let size = PixelSize(
                width: .random(in: 1...400, using: &random), height: .random(in: 1...300, using: &random))
            let mask = Mask(areas: [
                Mask.Area(Self.rect(within: size, &random)), Mask.Area(Self.rect(within: size, &random), style: .blur),
            ])
            let hidden = mask.areas(of: size).compactMap(\.rect)
            var picture = Picture(size, &random)
            let frame = try MaskedFrame(size: size)
            _ = mask.cover(frame)
            _ = picture.apply(mask, Damage(size.bounds), to: frame)
            for _ in 0..<5 {
                let before = Self.pixels(frame)
                let rect = Self.rect(within: size, &random).intersection(size.bounds)
                picture.scribble(rect, &random)
                let changed = picture.apply(mask, Damage(rect), to: frame)
                let after = Self.pixels(frame)
                for y in 0..<size.height {
                    for x in 0..<size.width {
                        let pixel = PixelRect(x: x, y: y, width: 1, height: 1)
                        let place = (y * size.width + x) * 4
                        if !hidden.contains(where: { $0.contains(pixel) }),
                            after[place..<place + 4] != picture.pixel(x, y)
                        {
                            Issue.record("\(pixel) is not as it is on the screen")
                        }
                        if before[place..<place + 4] != after[place..<place + 4],
                            !changed.rects.contains(where: { $0.contains(pixel) })
                        {
                            Issue.record("\(pixel) changed, and nobody was told")
                        }
                    }
                }
            }
        }
    }

    @Test func nothingIsToldOfWhereNothingChanged() throws {
        var random = SystemRandomNumberGenerator()
        let size = PixelSize(width: 300, height: 200)
        var picture = Picture(size, &random)
        let frame = try MaskedFrame(size: size)
        #expect(!picture.apply(.nothing, Damage(size.bounds), to: frame).isEmpty)
        #expect(picture.apply(.nothing, Damage(size.bounds), to: frame).isEmpty)
        picture.scribble(PixelRect(x: 70, y: 70, width: 2, height: 2), &random)
        let told = picture.apply(.nothing, Damage(size.bounds), to: frame)
        #expect(told.rects == [PixelRect(x: 64, y: 64, width: 64, height: 64)])
        let hidden = Mask(areas: [Mask.Area(PixelRect(x: 64, y: 64, width: 64, height: 64))])
        _ = hidden.cover(frame)
        picture.scribble(PixelRect(x: 70, y: 70, width: 20, height: 20), &random)
        #expect(picture.apply(hidden, Damage(size.bounds), to: frame).isEmpty)
    }

    @Test func allIsBlackUntilSomethingBetterIsKnown() throws {
        var random = SystemRandomNumberGenerator()
        let size = PixelSize(width: 50, height: 40)
        let frame = try MaskedFrame(size: size)
        #expect(Self.pixels(frame).allSatisfy { $0 == 0 })
        _ = Picture(size, &random).apply(.everything, Damage(size.bounds), to: frame)
        #expect(Self.pixels(frame).allSatisfy { $0 == 0 })
        let other = Picture(PixelSize(width: 60, height: 40), &random)
        #expect(other.apply(.nothing, Damage(size.bounds), to: frame).isEmpty)
        #expect(Self.pixels(frame).allSatisfy { $0 == 0 })
    }
}
