/// How a wedge scanner types. The defaults fit a scanner that types on a US keyboard and ends with Enter.
public struct ScanOptions: Hashable, Sendable {
    /// A key that ends a code. CR+LF is `enter` with `lf` or `down` behind it: both are taken as one end.
    public enum Terminator: String, Hashable, Sendable, CaseIterable {
        /// Enter, and Ctrl+M.
        case enter
        case keypadEnter = "kp-enter"
        /// Tab, and Ctrl+I.
        case tab
        /// Ctrl+J.
        case lf
        /// The arrow. Where it is no terminator it types GS inside a code, as Hand Held Products' key table has it.
        case down
        /// Nothing at all: the code ends with `silence`.
        case silence
    }

    /// The layout that the scanner is set to, as xkb names it: `us`, `de`, `fr`, …
    public var layout = "us"
    /// A variant of the layout, or empty: `nodeadkeys`, …
    public var variant = ""
    /// Characters that the scanner types before each code; taken off. A burst without them is no code: keys were lost.
    public var prefix = ""
    /// Characters between the code and the terminator; the same.
    public var suffix = ""
    public var terminators: Set<Terminator> = Set(Terminator.allCases.filter { $0 != .down })
    /// The longest time from key to key inside a code, in milliseconds of the kernel's stamps. More, and it is no scan.
    public var gapMilliseconds = 60
    /// How long nothing is typed before a code without terminator is whole, in milliseconds; also the pause that ends the
    /// doubt after a hole. Never less than the gap.
    public var silenceMilliseconds = 150
    /// The fewest characters of a code, prefix, AIM id and suffix not counted.
    public var minimumLength = 6
    /// The most characters of a burst. At most 4096.
    public var maximumLength = 512

    public init() {}
}
