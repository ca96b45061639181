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
    public enum WindowMatch: Hashable, Sendable, CustomStringConvertible {
        case windowClass(String)
        case title(String)

        /// As it is written.
        public var description: String {
            switch self {
            case .windowClass(let name): return "class=\(name)"
            case .title(let title): return "title=\(title)"
            }
        }
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

    /// What is hidden now, and what is hidden of windows wherever they are.
    /// - Parameter states: the lane's states and their values, nil while unknown; nil where the agent does not tell.
    public func mask(_ states: [String: String?]?) -> Mask {
        if unknown == .all {
            guard let states else { return Mask(areas: [.init(nil)], reasons: ["the agent does not answer"]) }
            for term in entries.flatMap(\.terms) where (states[term.state] ?? nil) == nil {
                return Mask(areas: [.init(nil)], reasons: ["it is not known what \(term.state) is"])
            }
        }
        var mask = Mask(areas: [])
        for entry in entries where entry.terms.allSatisfy({ Self.mayHold($0, states) }) {
            if let window = entry.window {
                mask.followers.append(.init(window: window, area: entry.area, reason: entry.reason))
                continue
            }
            mask.areas.append(entry.area)
            if !mask.reasons.contains(entry.reason) { mask.reasons.append(entry.reason) }
        }
        return mask
    }

    private static func mayHold(_ term: Term, _ states: [String: String?]?) -> Bool {
        guard let value = states?[term.state] ?? nil else { return true }
        return (value == term.value) != term.isNegated
    }
}
