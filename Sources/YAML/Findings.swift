import Lane

/// All that is found in one file while it is read. Readers add to it and go on, so that one run tells everything.
///
/// Used by one thread, for as long as a file is read.
public final class Findings {
    public let source: SourceText
    public private(set) var diagnostics: [Diagnostic] = []

    public init(_ source: SourceText) { self.source = source }

    /// With all that `document` already has.
    public convenience init(_ document: YAMLDocument) {
        self.init(document.source)
        diagnostics = document.diagnostics
    }

    public var hasErrors: Bool { diagnostics.contains { $0.severity == .error } }

    /// By line, then column; what stands at one place in the order it was found.
    public var inLineOrder: [Diagnostic] {
        let places = diagnostics.map { $0.range?.start.offset ?? -1 }
        return diagnostics.indices.sorted { (places[$0], $0) < (places[$1], $1) }.map { diagnostics[$0] }
    }

    public func add(_ diagnostic: Diagnostic) { diagnostics.append(diagnostic) }

    /// - Parameter range: nil where the fault is the whole file's.
    public func error(_ message: String, at range: SourceRange?, help: String? = nil) {
        diagnostics.append(
            Diagnostic(
                file: source.file, range: range, severity: .error, message: message, help: help, source: source))
    }

    public func warning(_ message: String, at range: SourceRange?, help: String? = nil) {
        diagnostics.append(
            Diagnostic(
                file: source.file, range: range, severity: .warning, message: message, help: help, source: source))
    }

    /// `sentence`, and `; did you mean "…"?` where a known name is near `word`; else the known names as help.
    ///
    /// - Parameters:
    ///   - listing: what the help says before the names: `known keys:`.
    ///   - isAlwaysListed: the names are shown beside a suggestion too.
    public func unknown(
        _ sentence: String, _ word: String, at range: SourceRange, among known: [String], listing: String,
        isAlwaysListed: Bool = false
    ) {
        let near = EditDistance.nearest(to: word, among: known)
        let list = known.isEmpty ? nil : listing + " " + known.joined(separator: ", ")
        error(
            sentence + (near.map { "; did you mean \"\($0)\"?" } ?? ""), at: range,
            help: near == nil || isAlwaysListed ? list : nil)
    }
}
