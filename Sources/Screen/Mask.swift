/// What of a screen an attendant may not see, at one moment. Nothing else makes pixels of a `RawFrame` visible: see
/// `apply(_:_:to:)`.
///
/// Two are equal where they hide the same; `reason` tells attendants why, and is no part of that.
public struct Mask: Sendable {
    /// How a hidden rectangle looks. Neither lets a pixel within it have any part in what is shown.
    public enum Style: String, Hashable, Sendable, CaseIterable {
        case black
        /// A soft blend of the colours just outside: it looks blurred, and cannot be sharpened. What is within a blur of the
        /// usual kind can be found out by trying digits.
        case blur
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

    /// An area that each window of a kind has, and that moves with it.
    public struct Follower: Hashable, Sendable {
        public var window: MaskPlan.WindowMatch
        /// In the window's coordinates, clipped to it; nil is all of it.
        public var area: Area
        public var reason: String
    }

    public var areas: [Area]
    /// Not in force before they are placed; see `placed`.
    public var followers: [Follower]
    /// For attendants, such as "basket is paying".
    public var reasons: [String]

    public init(areas: [Area], followers: [Follower] = [], reasons: [String] = []) {
        self.areas = areas
        self.followers = followers
        self.reasons = reasons
    }

    /// What is hidden while the windows are there: all, where a window is followed and nobody knows where it is.
    func placed(on windows: WindowPlaces) -> Mask {
        var mask = Mask(areas: areas, reasons: reasons)
        for follower in followers {
            let areas = follower.areas(windows.of(follower.window))
            guard !areas.isEmpty else { continue }
            mask.areas += areas
            if !mask.reasons.contains(follower.reason) { mask.reasons.append(follower.reason) }
        }
        return mask
    }

    /// All black: what holds until something better is known.
    public static let everything = Mask(areas: [Area(nil)])
    /// Nothing hidden: where the configuration says that the screen has no secrets.
    public static let nothing = Mask(areas: [])

    public var hidesAll: Bool { areas.contains { $0.rect == nil } }

    public func hidesTheSame(as other: Mask) -> Bool { areas == other.areas }

    /// Whether anything of `rect` is hidden.
    func hides(_ rect: PixelRect) -> Bool {
        areas.contains { area in area.rect.map { !$0.intersection(rect).isEmpty } ?? true }
    }

    /// The areas of a screen of that size, clipped to it; where all is hidden, black, there is that one.
    func areas(of size: PixelSize) -> [Area] {
        if hidesAll { return [Area(size.bounds)] }
        return areas.compactMap { area in
            let rect = (area.rect ?? size.bounds).intersection(size.bounds)
            return rect.isEmpty ? nil : Area(rect, style: area.style)
        }
    }
}

extension Mask.Follower {
    fileprivate func areas(_ places: [PixelRect]?) -> [Mask.Area] {
        guard let places else { return [Mask.Area(nil)] }
        return places.compactMap { place in
            let rect = area.rect.map { $0.offset(x: place.x, y: place.y).intersection(place) } ?? place
            return rect.isEmpty ? nil : Mask.Area(rect, style: area.style)
        }
    }
}
