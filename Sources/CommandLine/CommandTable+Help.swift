extension CommandTable {
    /// The help of the command at `path` (the program's own for an empty one), at most `columns` wide where words allow;
    /// nil when there is no such command.
    public func help(of path: [String] = [], columns: Int = 80) -> String? {
        guard let chain = chain(to: path), let command = chain.last else { return nil }
        let width = max(40, columns)
        let title = ([root.name] + path).joined(separator: " ")
        var text = Columns.lines("Usage: " + synopsis(command, title: title), width: width).enumerated()
            .map { ($0.offset == 0 ? "" : "           ") + $0.element + "\n" }.joined()
        text += "\n" + Columns.paragraph(Self.sentence(command.summary), width: width)
        for paragraph in command.description { text += "\n" + Columns.paragraph(paragraph, width: width) }
        if !command.commands.isEmpty {
            text += "\nCommands:\n"
            text += Columns.table(command.commands.map { ($0.name, $0.summary) }, width: width)
        }
        if !command.positionals.isEmpty {
            text += "\nArguments:\n"
            text += Columns.table(command.positionals.map { ($0.synopsis, $0.help) }, width: width)
        }
        text +=
            "\nOptions:\n" + Columns.table(options(of: chain).map { (Self.term($0), Self.meaning($0)) }, width: width)
        text += "\nExamples:\n"
        for example in command.examples {
            text += "  \(example.line)\n" + Columns.paragraph(example.meaning, indent: 6, width: width)
        }
        if !command.exitCodes.isEmpty {
            text += "\nExit codes:\n"
            text += Columns.table(command.exitCodes.map { (String($0.code), $0.meaning) }, width: width)
        }
        if !command.commands.isEmpty {
            let help = path.isEmpty ? "\(root.name) help COMMAND" : "\(title) COMMAND --help"
            text += "\n" + Columns.paragraph("\"\(help)\" tells more about a command.", width: width)
        }
        return text
    }

    /// `lanewatch check [OPTIONS] FILE...`; required options are written out.
    func synopsis(_ command: Command, title: String) -> String {
        let required = command.options.filter(\.isRequired).map(\.synopsis)
        let rest =
            command.commands.isEmpty
            ? command.positionals.map(\.synopsis) : [command.runsAlone ? "[COMMAND]" : "COMMAND"]
        return ([title] + required + ["[OPTIONS]"] + rest).joined(separator: " ")
    }

    /// `-r, --rules FILE`, with the long names in one column.
    private static func term(_ option: Option) -> String {
        (option.short.map { "-\($0), " } ?? "    ") + option.synopsis
    }

    /// The help with what the table knows beside it: the words of a choice, the default, whether it repeats.
    static func meaning(_ option: Option) -> String {
        var parts = [option.help]
        guard let value = option.value else { return option.help }
        if case .choice(let words) = value.kind { parts.append("One of: \(words.joined(separator: ", ")).") }
        if let fallback = value.fallback { parts.append("Default: \(fallback).") }
        if option.repeats { parts.append("May be repeated.") }
        return parts.joined(separator: " ")
    }

    /// A summary as a sentence: a capital at its start, a full stop at its end.
    static func sentence(_ summary: String) -> String {
        summary.prefix(1).uppercased() + summary.dropFirst() + "."
    }
}
