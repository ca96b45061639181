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

    public var areas: [Area]
    /// For attendants, such as "basket is paying".
    public var reasons: [String]

    public init(areas: [Area], reasons: [String] = []) {
        self.areas = areas
        self.reasons = reasons
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
