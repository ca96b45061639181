import CPCRE2
import Synchronization

/// A compiled regular expression of a rule file: PCRE2, UTF, unanchored, with limits set so that no value can stall the lane.
/// Equal when its source text is. Safe to share: the compiled code is never changed (pcre2api(3), MULTITHREADING).
public struct Pattern: Sendable {
    public let source: String
    private let code: Code

    /// What a value gives.
    public enum MatchResult: Hashable, Sendable {
        case match, noMatch
        /// The value needs more steps, depth or memory than the limits allow. It counts as no match, and is to be counted.
        case limitExceeded
    }

    /// Values longer than this match no pattern. PCRE2 counts steps anew at each place where a match may begin, and a step may
    /// look at all that follows: `a*a*[bc]` costs the third power of the length, 0.2 s at this one, days at 64 KiB.
    public static let maximumValueBytes = 1024
    /// Backtracking steps from one place of a value of so many bytes. Twice the length is what a plain `a.*b` needs.
    static func matchLimit(bytes: Int) -> UInt32 {
        UInt32(min(100_000, max(2 * bytes + 1000, 4_000_000 / max(1, bytes))))
    }
    static let depthLimit: UInt32 = 10_000
    /// Kibibytes of one match.
    static let heapLimit: UInt32 = 1024
    /// Bytes of a pattern.
    static let maximumLength = 4096

    /// Compiles `source`, a pattern without the slashes around it.
    ///
    /// The interpreter runs it, not the JIT, which may not run under systemd's `MemoryDenyWriteExecute`.
    public init(_ source: String) throws(PatternFault) {
        guard source.utf8.count <= Self.maximumLength else {
            throw PatternFault(message: "longer than \(Self.maximumLength) bytes", character: Self.maximumLength)
        }
        var fault: CInt = 0
        var offset = 0
        var text = source
        // \C would match half a character. The text is a Swift string, so its UTF-8 need not be checked again.
        let options = UInt32(PCRE2_UTF) | UInt32(PCRE2_NO_UTF_CHECK) | UInt32(PCRE2_NEVER_BACKSLASH_C)
        let compiled = text.withUTF8 { bytes in
            pcre2_compile_8(bytes.baseAddress, bytes.count, options, &fault, &offset, nil)
        }
        guard let compiled else { throw PatternFault(code: fault, offset: offset, in: source) }
        self.source = source
        code = Code(compiled)
    }

    /// Finds the pattern anywhere in `text`. Allocates nothing once the process has matched a few values.
    public func matches(_ text: String) -> MatchResult {
        let quick = text.utf8.withContiguousStorageIfAvailable { code.match($0) }
        if let quick { return quick }
        var text = text
        return text.withUTF8 { code.match($0) }
    }
}

extension Pattern: Hashable {
    public static func == (a: Pattern, b: Pattern) -> Bool { a.source == b.source }
    public func hash(into hasher: inout Hasher) { hasher.combine(source) }
}

/// Why a pattern cannot be compiled.
public struct PatternFault: Error, Hashable, Sendable {
    /// The library's own words, mostly: `quantifier does not follow a repeatable item`.
    public var message: String
    /// The place in the pattern, in characters (Unicode scalars) from 1.
    public var character: Int
}

/// The owner of a compiled pattern.
///
/// @unchecked Sendable: pcre2_match only reads the code (pcre2api(3), MULTITHREADING), and nothing else touches it before `deinit`.
private final class Code: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { pcre2_code_free_8(pointer) }

    func match(_ text: UnsafeBufferPointer<UInt8>) -> Pattern.MatchResult {
        guard text.count <= Pattern.maximumValueBytes, let block = MatchBlocks.take() else { return .limitExceeded }
        let result = pcre2_match_8(
            pointer, text.baseAddress, text.count, 0, UInt32(PCRE2_NO_UTF_CHECK), block,
            MatchLimits.shared.context(bytes: text.count))
        MatchBlocks.give(back: block)
        // 0 is a match too: more groups than the block has room for.
        if result >= 0 { return .match }
        return result == PCRE2_ERROR_NOMATCH ? .noMatch : .limitExceeded
    }
}

/// The limits of every match. Made once, never changed, never freed.
///
/// @unchecked Sendable: pcre2_match only reads it.
private final class MatchLimits: @unchecked Sendable {
    static let shared = MatchLimits()
    /// By the length of the value, rounded up to a power of two. Nil when memory ran out at the first match: then the
    /// library's own defaults hold.
    private let contexts: [OpaquePointer?]

    func context(bytes: Int) -> OpaquePointer? { contexts[min(Self.place(bytes), contexts.count - 1)] }

    private static func place(_ bytes: Int) -> Int { bytes <= 1 ? 0 : Int.bitWidth - (bytes - 1).leadingZeroBitCount }

    private init() {
        contexts = (0...Self.place(Pattern.maximumValueBytes)).map { place in
            guard let context = pcre2_match_context_create_8(nil) else { return nil }
            pcre2_set_match_limit_8(context, Pattern.matchLimit(bytes: 1 << place))
            pcre2_set_depth_limit_8(context, Pattern.depthLimit)
            pcre2_set_heap_limit_8(context, Pattern.heapLimit)
            return context
        }
    }
}

/// Memory for matches, used again by whichever pattern is next: a block keeps the room for backtracking that it once needed (at
/// most `heapLimit`), and an allocation would cost more than most matches. Two threads at most find a block ready; more make their own.
private enum MatchBlocks {
    private static let first = Atomic<UInt>(0)
    private static let second = Atomic<UInt>(0)

    static func take() -> OpaquePointer? {
        if let block = OpaquePointer(bitPattern: first.exchange(0, ordering: .acquiring)) { return block }
        if let block = OpaquePointer(bitPattern: second.exchange(0, ordering: .acquiring)) { return block }
        // One pair of offsets: only whether it matches is asked.
        return pcre2_match_data_create_8(1, nil)
    }

    static func give(back block: OpaquePointer) {
        let place = UInt(bitPattern: block)
        if first.compareExchange(expected: 0, desired: place, ordering: .releasing).exchanged { return }
        if second.compareExchange(expected: 0, desired: place, ordering: .releasing).exchanged { return }
        pcre2_match_data_free_8(block)
    }
}
