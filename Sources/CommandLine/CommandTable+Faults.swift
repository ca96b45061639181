extension CommandTable {
    /// What is wrong with the table itself: one sentence each. A test of the program asserts that there is none.
    public var faults: [String] {
        var faults: [String] = []
        for (path, command) in everyCommand {
            let title = ([root.name] + path).joined(separator: " ")
            func fault(_ sentence: String) { faults.append("\(title): \(sentence)") }
            if !Self.isName(command.name) { fault("a name is lower-case letters, digits and dashes") }
            if command.summary.isEmpty || command.summary.hasSuffix(".") {
                fault("the summary needs a line without a full stop")
            }
            if command.examples.isEmpty { fault("no example") }
            if !command.commands.isEmpty && !command.positionals.isEmpty { fault("has both commands and positionals") }
            if Set(command.commands.map(\.name)).count < command.commands.count { fault("a command twice") }
            let known = chain(to: path).map { options(of: $0) } ?? []
            for name in Self.repeated(known.map(\.name)) { fault("the option --\(name) twice") }
            for short in Self.repeated(known.compactMap { $0.short.map(String.init) }) {
                fault("the option -\(short) twice")
            }
            for option in command.options { faults += Self.faults(of: option).map { "\(title): \($0)" } }
            for (place, positional) in command.positionals.enumerated() {
                let isLast = place == command.positionals.count - 1
                if positional.help.isEmpty { fault("\(positional.name) has no help") }
                if !isLast, positional.count.isMany || positional.count.isOptional {
                    fault("only the last positional may be optional or many, not \(positional.name)")
                }
            }
        }
        return faults
    }

    private static func faults(of option: Option) -> [String] {
        var faults: [String] = []
        if !isName(option.name) { faults.append("\(option.dashed): a name is lower-case letters, digits and dashes") }
        if option.help.isEmpty { faults.append("\(option.dashed) has no help") }
        if let value = option.value, let fallback = value.fallback, let must = value.kind.requirement(unmetBy: fallback)
        {
            faults.append("\(option.dashed): its default \"\(fallback)\" must be \(must)")
        }
        return faults
    }

    private static func repeated(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.filter { !seen.insert($0).inserted }
    }

    private static func isName(_ name: String) -> Bool {
        guard let first = name.utf8.first, first >= 97, first <= 122 else { return false }
        return name.utf8.allSatisfy { ($0 >= 97 && $0 <= 122) || ($0 >= 48 && $0 <= 57) || $0 == 45 }
    }
}
