/// What a command line says, checked against the table: a command and the values of its options and positionals.
public struct Arguments: Hashable, Sendable {
    /// The names that lead to the command: `["outbox", "list"]`.
    public let path: [String]
    /// By the option's long name, in the order of the line. A flag has an empty value for each time it was given.
    let values: [String: [String]]
    /// By the positional's name.
    let positionals: [String: [String]]

    init(path: [String], values: [String: [String]], positionals: [String: [String]]) {
        self.path = path
        self.values = values
        self.positionals = positionals
    }

    /// The option's value, the last where it was given more than once; its default where it was not; else nil.
    public subscript(option: Option) -> String? { values[option.name]?.last ?? option.value?.fallback }

    /// Every value of a repeatable option, in the order of the line; its default where it was not given.
    public func all(_ option: Option) -> [String] {
        values[option.name] ?? option.value?.fallback.map { [$0] } ?? []
    }

    /// Whether the option was given.
    public func has(_ option: Option) -> Bool { values[option.name] != nil }

    /// How often the option was given.
    public func count(of option: Option) -> Int { values[option.name]?.count ?? 0 }

    /// The value of an option of kind `.integer`.
    public func integer(_ option: Option) -> Int? { self[option].flatMap { Int($0) } }

    /// The value of an option of kind `.duration`.
    public func duration(_ option: Option) -> Duration? { self[option].flatMap(DurationText.parse) }

    public subscript(positional: Positional) -> String? { positionals[positional.name]?.last }

    public func all(_ positional: Positional) -> [String] { positionals[positional.name] ?? [] }
}

/// A command line that the table does not understand. Exit code 2.
public struct UsageError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The program and the command as far as it was understood: `lanewatch check`.
    public let title: String
    /// One sentence, with the nearest name where there is one: `no option "--ruels"; did you mean "--rules"?`
    public let message: String

    public let exitCode: Int32 = 2

    /// Two lines for standard error: what is wrong, and where help is.
    public var description: String { "\(title): \(message)\nTry \"\(title) --help\"." }
}
