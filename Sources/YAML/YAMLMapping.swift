import Lane

/// Reads the keys of one mapping, and reports to `Findings` what is unknown, missing or of another kind than wanted.
///
/// Every reader gives nil both where the key is absent and where its value is wrong; a wrong value has been reported, so a
/// caller goes on with its default and refuses the file at the end, when `Findings.hasErrors`.
///
/// ```swift
/// let document = YAMLDocument(file: "agent.yaml", bytes: bytes)
/// let findings = Findings(document)
/// if let root = document.root, let top = YAMLMapping(root, "the configuration", keys: ["lane", "broker"], findings) {
///     top.require("lane")
///     let lane = top.text("lane") ?? ""
///     if let broker = top.mapping("broker", "\"broker\"", keys: ["host", "port", "wait"]) {
///         let port = broker.int("port", in: 1...65535) ?? 9092
///         let wait = broker.duration("wait", in: 100...60_000) ?? 5000
///     }
/// }
/// ```
public struct YAMLMapping {
    public let node: YAMLNode
    /// In the order of the file. Unknown keys are among them.
    public let pairs: [YAMLPair]
    /// What messages call this mapping: `a rule`, `the configuration`.
    public let what: String
    public let findings: Findings
    /// The keys that unknown ones were probably meant to be.
    private let meant: [String]
    /// Where each key stands first. Nil for the few keys of most mappings, where looking at each is faster.
    private let places: [String: Int]?

    /// Nil where `node` is no mapping; that is reported. Keys that are not in `keys` are reported, with the nearest known one or all
    /// of them, in the order of `keys`.
    ///
    /// - Parameter keys: nil: any key may stand here (names that the file itself gives).
    public init?(_ node: YAMLNode, _ what: String, keys: [String]? = nil, _ findings: Findings) {
        guard case .mapping(let pairs) = node.content else {
            if !node.isRefused {
                findings.error("\(what) must be a mapping (key: value), not \(node.described)", at: node.range)
            }
            return nil
        }
        self.node = node
        self.pairs = pairs
        self.what = what
        self.findings = findings
        var meant: [String] = []
        for place in pairs.indices where keys?.contains(pairs[place].key) == false {
            let pair = pairs[place]
            let near = findings.unknown(
                "unknown key \(Shown.quoted(pair.key)) in \(what)", pair.key, at: pair.keyRange, among: keys ?? [],
                listing: "known keys:")
            if let near { meant.append(near) }
        }
        self.meant = meant
        places = pairs.count > 16 ? Dictionary(zip(pairs.map(\.key), pairs.indices)) { first, _ in first } : nil
    }

    /// The value of `key`, null too, or nil where the key is absent.
    public subscript(key: String) -> YAMLNode? { place(of: key).map { pairs[$0].value } }

    public func has(_ key: String) -> Bool { place(of: key) != nil }

    /// Whether `key` is here, or an unknown key that is probably a misspelt one: then its absence is no fault of its own.
    public func hasOrMeans(_ key: String) -> Bool { has(key) || meant.contains(key) }

    public func pair(_ key: String) -> YAMLPair? { place(of: key).map { pairs[$0] } }

    /// By index: a pair is large, and a loop over the pairs would copy each.
    private func place(of key: String) -> Int? {
        if let places { return places[key] }
        for place in pairs.indices where pairs[place].key == key { return place }
        return nil
    }

    /// Where the value of `key` stands; where the key is absent, where this mapping begins.
    public func range(of key: String) -> SourceRange { pair(key)?.value.range ?? beginning }

    /// Where something that is missing is reported: this mapping's first key.
    public var beginning: SourceRange { pairs.first?.keyRange ?? node.range }

    /// Reports each of `keys` that is absent.
    public func require(_ keys: String...) {
        for key in keys where !hasOrMeans(key) { findings.error("\(what) needs \(Shown.quoted(key))", at: beginning) }
    }

    // MARK: Scalars

    /// Text: any scalar but null, as it is written. A number or truth value is its own text.
    public func text(_ key: String) -> String? { self[key].flatMap { text($0, Shown.quoted(key)) } }

    /// Text that is one of `names`, which messages list.
    public func choice(_ key: String, of names: [String]) -> String? {
        guard let node = self[key], let text = text(node, Shown.quoted(key)) else { return nil }
        if names.contains(text) { return text }
        findings.unknown(
            "\(Shown.quoted(key)) cannot be \(Shown.quoted(text))", text, at: node.range, among: names,
            listing: "one of:",
            isAlwaysListed: true)
        return nil
    }

    public func bool(_ key: String) -> Bool? {
        guard let node = self[key], !node.isRefused else { return nil }
        if let bool = node.scalar?.bool { return bool }
        let meant: [String: String] = [
            "yes": "true", "on": "true", "no": "false", "off": "false", "true": "true", "false": "false",
        ]
        let fix = node.scalar.flatMap { meant[$0.text.lowercased()] }.map { "; write \($0)" } ?? ""
        findings.error("\(Shown.quoted(key)) needs true or false, not \(node.described)\(fix)", at: node.range)
        return nil
    }

    /// A whole number within `range`.
    public func int(_ key: String, in range: ClosedRange<Int64> = .min ... .max) -> Int64? {
        guard let node = self[key], !node.isRefused else { return nil }
        guard let int = node.scalar?.int else {
            let unquoted = node.scalar.flatMap { $0.isPlain ? nil : YAMLScalar($0.text, isPlain: true).int }
            let fix = unquoted.map { "; write \($0), without quotes" } ?? ""
            findings.error("\(Shown.quoted(key)) needs a whole number, not \(node.described)\(fix)", at: node.range)
            return nil
        }
        guard range.contains(int) else {
            findings.error("\(Shown.quoted(key)) must be \(Self.phrase(range)), not \(int)", at: node.range)
            return nil
        }
        return int
    }

    /// A duration in milliseconds, within `range` of milliseconds, as `DurationScalar` reads it.
    public func duration(_ key: String, in range: ClosedRange<Int64> = 1...DurationScalar.longest) -> Int64? {
        guard let node = self[key], !node.isRefused else { return nil }
        guard let text = node.scalar?.text, let milliseconds = DurationScalar.milliseconds(text) else {
            let fix = node.scalar.flatMap { DurationScalar.meaning(of: $0.text) }
            findings.error(
                "\(Shown.quoted(key)) needs a duration, not \(node.described)"
                    + (fix.map { "; write \"\($0)\"" } ?? ""),
                at: node.range, help: fix == nil ? Self.durationHelp : nil)
            return nil
        }
        guard range.contains(milliseconds) else {
            let (least, most) = (DurationScalar.text(range.lowerBound), DurationScalar.text(range.upperBound))
            let bounds = range.upperBound == DurationScalar.longest ? "at least \(least)" : "\(least) to \(most)"
            findings.error("\(Shown.quoted(key)) must be \(bounds), not \(Shown.plain(text))", at: node.range)
            return nil
        }
        return milliseconds
    }

    /// What a duration looks like.
    public static let durationHelp = "a duration is a whole number and a unit, at most 87600h: 500ms, 45s, 2m, 1h"

    // MARK: Collections

    /// The mapping under `key`. `keys` as in `init`.
    public func mapping(_ key: String, _ what: String, keys: [String]? = nil) -> YAMLMapping? {
        self[key].flatMap { YAMLMapping($0, what, keys: keys, findings) }
    }

    /// The elements of the list under `key`; empty where it is absent or no list.
    public func list(_ key: String, of what: String = "") -> [YAMLNode] {
        guard let node = self[key], !node.isRefused else { return [] }
        if case .sequence(let elements) = node.content { return elements }
        findings.error(
            "\(Shown.quoted(key)) needs a list\(what.isEmpty ? "" : " of " + what), not \(node.described)",
            at: node.range,
            help: node.isNull
                ? "leave the key out, or write []"
                : node.isMapping ? "each element of a list begins with \"- \", one alone too" : nil)
        return []
    }

    /// The mappings of the list under `key`; an element that is none is reported and left out.
    public func mappings(_ key: String, _ what: String, keys: [String]? = nil) -> [YAMLMapping] {
        list(key, of: "mappings").compactMap { YAMLMapping($0, what, keys: keys, findings) }
    }

    /// One text or a list of them, each with its node; empty where the key is absent. An empty list is reported unless
    /// `allowsEmpty`, and so is every element that is no text. `isRequired`: nobody is told to leave the key out.
    public func texts(
        _ key: String, isListOnly: Bool = false, allowsEmpty: Bool = false, isRequired: Bool = false
    ) -> [(text: String, node: YAMLNode)] {
        guard let node = self[key], !node.isRefused else { return [] }
        switch node.content {
        case .sequence(let elements):
            if elements.isEmpty && !allowsEmpty {
                findings.error(
                    "\(Shown.quoted(key)) is an empty list; "
                        + (isRequired ? "name at least one" : "leave the key out, or name at least one"),
                    at: node.range)
            }
            return elements.compactMap { element in
                text(element, "each of " + Shown.quoted(key)).map { (text: $0, node: element) }
            }
        case .scalar(let scalar) where !scalar.isNull && !isListOnly:
            return [(text: scalar.text, node: node)]
        default:
            let wanted = isListOnly ? "a list of text" : "text or a list of text"
            let alone = node.scalar.flatMap { isListOnly && !$0.isNull ? $0.text : nil }
            let fix = alone.map { "; write [\(Shown.quoted($0))]" } ?? ""
            findings.error("\(Shown.quoted(key)) needs \(wanted), not \(node.described)\(fix)", at: node.range)
            return []
        }
    }

    /// The text of `node`, which messages call `name`.
    public func text(_ node: YAMLNode, _ name: @autoclosure () -> String) -> String? {
        if let scalar = node.scalar, !scalar.isNull { return scalar.text }
        if !node.isRefused { findings.error("\(name()) needs text, not \(node.described)", at: node.range) }
        return nil
    }

    private static func phrase(_ range: ClosedRange<Int64>) -> String {
        if range.upperBound == .max { return "at least \(range.lowerBound)" }
        if range.lowerBound == .min { return "at most \(range.upperBound)" }
        return "\(range.lowerBound) to \(range.upperBound)"
    }
}
