import Lane

extension CommandTable {
    /// What a command line asks for.
    public enum Request: Hashable, Sendable {
        case run(Arguments)
        /// `--help`, `help COMMAND` or `--version`: print it on standard output and exit with 0.
        case show(String)
    }

    /// Reads `words`, the command line without the program's name. Source: GNU Coding Standards 4.8, POSIX.1-2017 12.2.
    ///
    /// Options may stand anywhere before `--`; `--name=value`, `--name value`, `-nvalue`, `-n value` and `-abn value` are
    /// understood; `-` alone is a positional. Long names are not abbreviated: a script must not change its meaning when
    /// an option is added.
    /// - Parameter columns: how wide help texts may be.
    public func parse(_ words: [String], columns: Int = 80) throws(UsageError) -> Request {
        var reading = Reading(table: self)
        var rest = words[...]
        while let word = rest.popFirst() {
            if word == "--" {
                for plain in rest {
                    if let help = try reading.takePlain(plain, columns: columns) { return .show(help) }
                }
                break
            }
            if word.hasPrefix("--") {
                if let shown = try reading.takeLong(word.dropFirst(2), &rest, columns: columns) { return .show(shown) }
            } else if word.hasPrefix("-"), word != "-" {
                if let shown = try reading.takeShort(word.dropFirst(), &rest, columns: columns) { return .show(shown) }
            } else if reading.isHelpCommand(word) {
                let path = Array(rest.filter { !$0.hasPrefix("-") })
                guard let text = help(of: path, columns: columns) else {
                    throw UsageError(
                        title: root.name, message: Self.noCommand(path.joined(separator: " "), among: root.commands))
                }
                return .show(text)
            } else if let help = try reading.takePlain(word, columns: columns) {
                return .show(help)
            }
        }
        return .run(try reading.finish())
    }

    static func noCommand(_ word: String, among commands: [Command]) -> String {
        let names = commands.map(\.name)
        if let near = EditDistance.nearest(to: word, among: names) {
            return "no command \"\(word)\"; did you mean \"\(near)\"?"
        }
        return "no command \"\(word)\"; it is one of: " + names.joined(separator: ", ")
    }
}

/// A command line half read.
private struct Reading {
    let table: CommandTable
    var chain: [Command]
    var path: [String] = []
    var values: [String: [String]] = [:]
    var plain: [String] = []

    init(table: CommandTable) {
        self.table = table
        chain = [table.root]
    }

    var command: Command { chain.last ?? table.root }
    var title: String { ([table.root.name] + path).joined(separator: " ") }

    func error(_ message: String) -> UsageError { UsageError(title: title, message: message) }

    func isHelpCommand(_ word: String) -> Bool {
        word == "help" && path.isEmpty && !table.root.commands.isEmpty && table.root.command(named: "help") == nil
    }

    /// A word that is no option: a command's name, as long as there are commands to choose from, or a positional.
    mutating func takePlain(_ word: String, columns: Int) throws(UsageError) -> String? {
        guard !command.commands.isEmpty else {
            let takesMore = command.positionals.last?.count.isMany ?? false
            guard takesMore || plain.count < command.positionals.count else {
                throw error(
                    command.positionals.isEmpty
                        ? "takes no arguments, but there is \"\(word)\"" : "one argument too many: \"\(word)\"")
            }
            plain.append(word)
            return nil
        }
        guard let next = command.command(named: word) else {
            throw error(CommandTable.noCommand(word, among: command.commands))
        }
        chain.append(next)
        path.append(word)
        return nil
    }

    mutating func takeLong(
        _ word: Substring, _ rest: inout ArraySlice<String>, columns: Int
    ) throws(UsageError) -> String? {
        let name = String(word.prefix { $0 != "=" })
        let attached: String? = name.count < word.count ? String(word.dropFirst(name.count + 1)) : nil
        let known = table.options(of: chain)
        guard let option = known.first(where: { $0.name == name }) else { throw error(noOption("--" + name, known)) }
        if option.value == nil, attached != nil { throw error("\(option.dashed) takes no value") }
        return try take(option, attached, &rest, as: option.dashed, columns: columns)
    }

    /// `-q`, `-qv`, `-rFILE`, `-qr FILE`.
    mutating func takeShort(
        _ letters: Substring, _ rest: inout ArraySlice<String>, columns: Int
    ) throws(UsageError) -> String? {
        var letters = letters
        let known = table.options(of: chain)
        while let letter = letters.popFirst() {
            guard let option = known.first(where: { $0.short == letter }) else {
                throw error(noOption("-" + String(letter), known))
            }
            var attached: String?
            if option.value != nil, !letters.isEmpty {
                attached = String(letters)
                letters = ""
            }
            if let shown = try take(option, attached, &rest, as: "-" + String(letter), columns: columns) {
                return shown
            }
        }
        return nil
    }

    private mutating func take(
        _ option: Option, _ attached: String?, _ rest: inout ArraySlice<String>, as written: String, columns: Int
    ) throws(UsageError) -> String? {
        if option == .help { return table.help(of: path, columns: columns) }
        if option == .version { return "\(table.root.name) \(table.version)\n" }
        guard let value = option.value else {
            values[option.name, default: []].append("")
            return nil
        }
        guard let text = attached ?? rest.popFirst() else {
            throw error("\(written) needs a value: \(written) \(value.placeholder)")
        }
        if let must = value.kind.requirement(unmetBy: text) {
            throw error("\(written) must be \(must), not \"\(text)\"\(Self.nearest(text, value.kind))")
        }
        if option.repeats { values[option.name, default: []].append(text) } else { values[option.name] = [text] }
        return nil
    }

    func finish() throws(UsageError) -> Arguments {
        if !command.runsAlone {
            throw error("which command? It is one of: " + command.commands.map(\.name).joined(separator: ", "))
        }
        var positionals: [String: [String]] = [:]
        var words = plain[...]
        for positional in command.positionals {
            let taken = positional.count.isMany ? Array(words) : Array(words.prefix(1))
            words = words.dropFirst(taken.count)
            if taken.isEmpty {
                if positional.count.isOptional { continue }
                throw error("\(positional.name) is missing")
            }
            for text in taken {
                guard let must = positional.kind.requirement(unmetBy: text) else { continue }
                throw error("\(positional.name) must be \(must), not \"\(text)\"\(Self.nearest(text, positional.kind))")
            }
            positionals[positional.name] = taken
        }
        for option in table.options(of: chain) where option.isRequired && values[option.name] == nil {
            throw error("\(option.synopsis) is missing")
        }
        return Arguments(path: path, values: values, positionals: positionals)
    }

    private func noOption(_ written: String, _ known: [Option]) -> String {
        guard written.hasPrefix("--") else { return "no option \"\(written)\"" }
        let name = String(written.dropFirst(2))
        // An abbreviation is further away than any typing error, so it is looked for on its own.
        let begun = name.count > 1 ? known.map(\.name).filter { $0.hasPrefix(name) } : []
        let near = begun.count == 1 ? begun.first : EditDistance.nearest(to: name, among: known.map(\.name))
        return "no option \"\(written)\"" + (near.map { "; did you mean \"--\($0)\"?" } ?? "")
    }

    private static func nearest(_ text: String, _ kind: ValueKind) -> String {
        guard case .choice(let words) = kind, let near = EditDistance.nearest(to: text, among: words) else { return "" }
        return "; did you mean \"\(near)\"?"
    }
}
