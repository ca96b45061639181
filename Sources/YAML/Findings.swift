import Lane

/// All that is found in one file while it is read. Readers add to it and go on, so that one run tells everything.
///
/// Used by one thread, for as long as a file is read.
public final class Findings {
    public let source: SourceText
    public private(set) var diagnostics: [Diagnostic] = []
    /// What suggestions may still cost, in compared pairs of characters.
    private var comparisonsLeft = 8_000_000

    /// More faults than this are not kept: the first thousand say enough.
    public static let maximum = 1000

    public init(_ source: SourceText) { self.source = source }

    /// With all that `document` already has.
    public convenience init(_ document: YAMLDocument) {
        self.init(document.source)
        for diagnostic in document.diagnostics { add(diagnostic) }
    }

    /// How many errors were found: a reader compares it before and after.
    public private(set) var errorCount = 0

    public var hasErrors: Bool { errorCount > 0 }

    /// By line, then column, then what has no place; what stands at one place in the order it was found.
    public var inLineOrder: [Diagnostic] {
        let places = diagnostics.map { $0.range?.start.offset ?? .max }
        return diagnostics.indices.sorted { (places[$0], $0) < (places[$1], $1) }.map { diagnostics[$0] }
    }

    /// Past `maximum` faults only one more is kept, which says so.
    public func add(_ diagnostic: Diagnostic) {
        if diagnostic.severity == .error { errorCount += 1 }
        if diagnostics.count < Self.maximum {
            diagnostics.append(diagnostic)
        } else if diagnostics.count == Self.maximum {
            let last = "more than \(Self.maximum) faults in this file; the rest is not told"
            diagnostics.append(Diagnostic(file: source.file, message: last))
        }
    }

    /// - Parameter range: nil where the fault is the whole file's.
    public func error(_ message: String, at range: SourceRange?, help: String? = nil) {
        add(Diagnostic(file: source.file, range: range, severity: .error, message: message, help: help, source: source))
    }

    public func warning(_ message: String, at range: SourceRange?, help: String? = nil) {
        add(
            Diagnostic(
                file: source.file, range: range, severity: .warning, message: message, help: help, source: source))
    }

    /// `sentence`, and `; did you mean "…"?` where a known name is near `word`; else the known names as help.
    ///
    /// - Parameters:
    ///   - related: the names that are listed where there are any, instead of all known ones.
    ///   - listing: what the help says before the names: `known keys:`.
    ///   - isAlwaysListed: the names are shown beside a suggestion too.
    /// - Returns: the name that was suggested.
    @discardableResult
    public func unknown(
        _ sentence: String, _ word: String, at range: SourceRange, among known: [String], related: [String] = [],
        listing: String, isAlwaysListed: Bool = false
    ) -> String? {
        let near = nearest(to: word, among: known)
        let list = near == nil || isAlwaysListed ? Self.listed(related.isEmpty ? known : related, after: listing) : nil
        error(sentence + (near.map { "; did you mean \(Shown.quoted($0))?" } ?? ""), at: range, help: list)
        return near
    }

    /// The same for names that the writer of the file declares: the help always says where, before that what there is.
    public func unknown(_ sentence: String, _ word: String, at range: SourceRange, among known: [String], fixed: String)
    {
        let near = nearest(to: word, among: known)
        let list = near == nil ? Self.listed(known, after: "known:") : nil
        error(
            sentence + (near.map { "; did you mean \(Shown.quoted($0))?" } ?? ""), at: range,
            help: list.map { "\($0); \(fixed)" } ?? fixed)
    }

    /// The known name that `word` is at least 60 % like, or nil. After many thousand comparisons in one file always nil, so that
    /// no file takes long to refuse.
    public func nearest(to word: String, among known: [String]) -> String? {
        guard comparisonsLeft > 0 else { return nil }
        let length = word.unicodeScalars.count
        // Names of very different length are never near; leaving them out here is cheap.
        let candidates = known.filter { name in
            let other = name.unicodeScalars.count
            return abs(other - length) * 5 <= max(other, length) * 2
        }
        comparisonsLeft -= candidates.count * (length + 1) * (length + 1) * 2 + known.count * 4
        return EditDistance.nearest(to: word, among: candidates)
    }

    /// `listing` and the names, the first 80 of them; nil where there is none.
    public static func listed(_ names: [String], after listing: String) -> String? {
        guard !names.isEmpty else { return nil }
        let rest = names.count > 80 ? " and \(names.count - 80) more" : ""
        return listing + " " + names.prefix(80).map { Shown.plain($0) }.joined(separator: ", ") + rest
    }
}
