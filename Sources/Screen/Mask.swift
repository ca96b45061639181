import Glibc

/// What of a screen an attendant may not see, at one moment. Nothing else makes pixels of a `RawFrame` visible.
public struct Mask: Hashable, Sendable {
    public enum Style: Hashable, Sendable {
        case black
    }

    /// A rectangle of the screen that is hidden.
    public struct Area: Hashable, Sendable {
        /// Nil is all of the screen, of whatever size it is.
        public var rect: PixelRect?
        public var style: Style

        public init(_ rect: PixelRect?, style: Style = .black) {
            self.rect = rect
            self.style = style
        }
    }

    public var areas: [Area]

    public init(areas: [Area]) { self.areas = areas }

    /// All black: what holds until something better is known.
    public static let everything = Mask(areas: [Area(nil)])
    /// Nothing hidden: where the configuration says that the screen has no secrets.
    public static let nothing = Mask(areas: [])

    /// Brings `damage` of `raw` into `frame`, hidden where this mask says so.
    ///
    /// On the capture thread. Both have one size, else nothing is written.
    /// - Returns: where `frame` changed.
    public func apply(_ raw: borrowing RawFrame, _ damage: Damage, to frame: MaskedFrame) -> Damage {
        guard raw.size == frame.size else { return Damage() }
        let changed = damage.clipped(to: frame.size.bounds)
        let (pixels, stride) = (raw.pixels, raw.stride)
        frame.write { target in
            for rect in changed.rects {
                for row in rect.y..<rect.bottom {
                    memcpy(
                        target + row * frame.stride + rect.x * 4, pixels + row * stride + rect.x * 4, rect.width * 4)
                }
            }
            // Under the same lock: nobody sees the frame between the two.
            for area in areas { hide(area, changed, frame, target) }
        }
        return changed
    }

    /// Makes all that this mask hides black in `frame`, at once and without the screen: when it returns, no copy of the frame
    /// shows any of it. What the mask shows again is for the next `apply`.
    /// - Returns: where `frame` changed.
    func cover(_ frame: MaskedFrame) -> Damage {
        var changed = Damage()
        for area in areas { changed.add((area.rect ?? frame.size.bounds).intersection(frame.size.bounds)) }
        guard !changed.isEmpty else { return changed }
        frame.write { target in
            for rect in changed.rects {
                for row in rect.y..<rect.bottom { memset(target + row * frame.stride + rect.x * 4, 0, rect.width * 4) }
            }
        }
        return changed
    }

    /// Whether anything of `rect` is hidden.
    func hides(_ rect: PixelRect) -> Bool {
        areas.contains { area in area.rect.map { !$0.intersection(rect).isEmpty } ?? true }
    }

    private func hide(_ area: Area, _ changed: Damage, _ frame: MaskedFrame, _ target: UnsafeMutableRawPointer) {
        let hidden = area.rect ?? frame.size.bounds
        for rect in changed.rects {
            let part = rect.intersection(hidden)
            guard !part.isEmpty else { continue }
            for row in part.y..<part.bottom { memset(target + row * frame.stride + part.x * 4, 0, part.width * 4) }
        }
    }
}
