/// Which parts of the screen are hidden in which lane state: `view: {masks: …}` of the configuration.
///
/// A value: states and windows in, a `Mask` out. What is not known is hidden.
public struct MaskPlan: Hashable, Sendable {
    /// `basket is paying`, `basket is not closed`.
    public struct Term: Hashable, Sendable {
        public var state: String
        public var value: String
        public var isNegated: Bool

        public init(state: String, value: String, isNegated: Bool = false) {
            self.state = state
            self.value = value
            self.isNegated = isNegated
        }
    }

    /// A window by its WM_CLASS, either part of it, or by its title, whole. Source: ICCCM 4.1.2.5.
    public enum WindowMatch: Hashable, Sendable {
        case windowClass(String)
        case title(String)
    }

    public struct Entry: Hashable, Sendable {
        /// All must hold; none is always so.
        public var terms: [Term]
        /// Nil: the screen's own coordinates. Else the area is one of each window that matches, and moves with it.
        public var window: WindowMatch?
        public var area: Mask.Area
        /// Why, for attendants.
        public var reason: String

        public init(terms: [Term] = [], window: WindowMatch? = nil, area: Mask.Area, reason: String) {
            self.terms = terms
            self.window = window
            self.area = area
            self.reason = reason
        }
    }

    /// What an unknown lane means: no agent, an agent that does not answer, or one that does not know a state that a mask names.
    public enum Unknown: String, Hashable, Sendable, CaseIterable {
        /// All is black.
        case all
        /// A mask whose state is unknown holds; the others are as ever.
        case none
    }

    public var entries: [Entry]
    public var unknown: Unknown

    public init(entries: [Entry], unknown: Unknown = .all) {
        self.entries = entries
        self.unknown = unknown
    }

    /// All is black while the lane's state is not known, and nothing else is hidden.
    public static let standard = MaskPlan(entries: [])

    /// The windows that must be followed.
    public var windows: Set<WindowMatch> { Set(entries.compactMap(\.window)) }

    /// What is hidden now.
    /// - Parameters:
    ///   - states: the lane's states and their values, nil while unknown; nil where the agent does not tell.
    ///   - windows: where the windows that match are now, in front or not; nil where that is not known.
    public func mask(_ states: [String: String?]?, windows: (WindowMatch) -> [PixelRect]? = { _ in nil }) -> Mask {
        if unknown == .all {
            guard let states else { return Mask(areas: [.init(nil)], reasons: ["the agent does not answer"]) }
            for term in entries.flatMap(\.terms) where (states[term.state] ?? nil) == nil {
                return Mask(areas: [.init(nil)], reasons: ["it is not known what \(term.state) is"])
            }
        }
        var mask = Mask(areas: [])
        for entry in entries where entry.terms.allSatisfy({ Self.mayHold($0, states) }) {
            let areas = entry.areas(windows)
            guard !areas.isEmpty else { continue }
            mask.areas += areas
            if !mask.reasons.contains(entry.reason) { mask.reasons.append(entry.reason) }
        }
        return mask
    }

    private static func mayHold(_ term: Term, _ states: [String: String?]?) -> Bool {
        guard let value = states?[term.state] ?? nil else { return true }
        return (value == term.value) != term.isNegated
    }
}

extension MaskPlan.Entry {
    fileprivate func areas(_ windows: (MaskPlan.WindowMatch) -> [PixelRect]?) -> [Mask.Area] {
        guard let window else { return [area] }
        guard let found = windows(window) else { return [Mask.Area(nil)] }
        return found.compactMap { place in
            let rect = area.rect.map { $0.offset(x: place.x, y: place.y).intersection(place) } ?? place
            return rect.isEmpty ? nil : Mask.Area(rect, style: area.style)
        }
    }
}
