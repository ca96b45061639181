/// An option: `--rules FILE`, `-r FILE`, or a flag without a value: `--quiet`.
public struct Option: Hashable, Sendable {
    /// The value that an option takes.
    public struct Value: Hashable, Sendable {
        /// How help names it: `FILE`, `DURATION`. Capitals.
        public var placeholder: String
        public var kind: ValueKind
        /// What counts where the option is absent; told in the help.
        public var fallback: String?
    }

    /// The long name without dashes: `rules`.
    public let name: String
    public let short: Character?
    /// Nil for a flag.
    public let value: Value?
    /// May be given more than once, and each value counts. Of another option the last one counts, as GNU programs do.
    public let repeats: Bool
    /// A command without it is a usage error.
    public let isRequired: Bool
    /// One or two sentences.
    public let help: String

    /// An option with a value.
    public init(
        _ name: String, short: Character? = nil, _ placeholder: String, _ kind: ValueKind = .text,
        default fallback: String? = nil, repeats: Bool = false, isRequired: Bool = false, help: String
    ) {
        self.name = name
        self.short = short
        self.value = Value(placeholder: placeholder, kind: kind, fallback: fallback)
        self.repeats = repeats
        self.isRequired = isRequired
        self.help = help
    }

    /// A flag. One that `repeats` is counted: `-vv`.
    public init(flag name: String, short: Character? = nil, repeats: Bool = false, help: String) {
        self.name = name
        self.short = short
        self.value = nil
        self.repeats = repeats
        self.isRequired = false
        self.help = help
    }

    /// `--help`, which every command has.
    static let help = Option(flag: "help", short: "h", help: "Show this help.")
    /// `--version`, which the program has.
    static let version = Option(flag: "version", short: "V", help: "Show the version.")

    var dashed: String { "--" + name }

    /// `--rules FILE` or `--quiet`.
    var synopsis: String { value.map { "\(dashed) \($0.placeholder)" } ?? dashed }
}

/// A value without an option before it: `lanewatch check FILE...`.
public struct Positional: Hashable, Sendable {
    public enum Count: Hashable, Sendable {
        case one
        case oneOrNone
        /// Only the last positional of a command may take many.
        case many
        case manyOrNone

        var isOptional: Bool { self == .oneOrNone || self == .manyOrNone }
        var isMany: Bool { self == .many || self == .manyOrNone }
    }

    /// How help names it: `FILE`. Capitals.
    public let name: String
    public let kind: ValueKind
    public let count: Count
    /// One or two sentences.
    public let help: String

    public init(_ name: String, _ kind: ValueKind = .text, _ count: Count = .one, help: String) {
        self.name = name
        self.kind = kind
        self.count = count
        self.help = help
    }

    /// `FILE`, `[FILE]`, `FILE...`, `[FILE...]`.
    var synopsis: String {
        let many = count.isMany ? "\(name)..." : name
        return count.isOptional ? "[\(many)]" : many
    }
}
