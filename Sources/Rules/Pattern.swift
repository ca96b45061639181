import CPCRE2

/// A compiled regular expression of a rule file: PCRE2, UTF, unanchored, with limits set so that no value can stall the lane.
/// Equal when its source text is. Safe to share: the compiled code is never changed (pcre2api(3), MULTITHREADING).
public struct Pattern: Hashable, Sendable {
    public let source: String

    public init(unchecked source: String) { self.source = source }
}
