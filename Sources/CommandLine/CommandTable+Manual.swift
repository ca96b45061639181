extension CommandTable {
    /// The manual page of the program, all commands in it, in mdoc(7): `lanewatch.1`.
    /// - Parameter date: of the page, as mdoc writes it: `November 21, 2026`.
    public func manual(date: String) -> String {
        var page = Mdoc()
        page.line(".Dd \(date)")
        page.macro("Dt", root.name.uppercased(), "1")
        page.line(".Os")
        page.macro("Sh", "NAME")
        page.macro("Nm", root.name)
        page.macro("Nd", root.summary)
        page.macro("Sh", "SYNOPSIS")
        for (path, command) in everyCommand where command.runsAlone || path.isEmpty {
            writeSynopsis(path, command, &page)
        }
        page.macro("Sh", "DESCRIPTION")
        for (place, paragraph) in ([Self.sentence(root.summary)] + root.description).enumerated() {
            if place > 0 { page.line(".Pp") }
            page.paragraph(paragraph)
        }
        page.line(".Pp")
        page.paragraph("These options belong to every command:")
        write(root.options + [.help, .version], &page)
        if root.commands.isEmpty { write(root.positionals, &page) } else { page.macro("Sh", "COMMANDS") }
        for (path, command) in everyCommand where !path.isEmpty { write(path, command, &page) }
        writeNotes("ENVIRONMENT", "Ev", environment, &page)
        writeNotes("FILES", "Pa", files, &page)
        page.macro("Sh", "EXIT STATUS")
        write(root.exitCodes, &page)
        page.macro("Sh", "EXAMPLES")
        write(root.examples, &page)
        writeSeeAlso(&page)
        return page.text
    }

    private func writeSynopsis(_ path: [String], _ command: Command, _ page: inout Mdoc) {
        page.macro("Nm", root.name)
        if path.isEmpty, !command.commands.isEmpty {
            page.line(".Op Ar options")
            page.line(".Ar command ...")
            return
        }
        if !path.isEmpty { page.macro("Cm", path.joined(separator: " ")) }
        for option in command.options {
            let form = Self.macros(option)
            page.line(option.isRequired ? ".\(form)" : ".Op \(form)" + (option.repeats ? " ..." : ""))
        }
        for positional in command.positionals {
            let form = "Ar " + Mdoc.argument(positional.name) + (positional.count.isMany ? " ..." : "")
            page.line(positional.count.isOptional ? ".Op \(form)" : ".\(form)")
        }
    }

    private func write(_ path: [String], _ command: Command, _ page: inout Mdoc) {
        page.macro("Ss", ([root.name] + path).joined(separator: " "))
        page.paragraph(Self.sentence(command.summary))
        for paragraph in command.description {
            page.line(".Pp")
            page.paragraph(paragraph)
        }
        write(command.positionals, &page)
        write(command.options, &page)
        if command.exitCodes != root.exitCodes, !command.exitCodes.isEmpty {
            page.line(".Pp")
            page.paragraph("Exit codes:")
            write(command.exitCodes, &page)
        }
        page.line(".Pp")
        page.paragraph(command.examples.count == 1 ? "Example:" : "Examples:")
        write(command.examples, &page)
    }

    private func write(_ options: [Option], _ page: inout Mdoc) {
        list(options, &page) { option, page in
            let short = option.short.map { "Fl \($0) , " } ?? ""
            page.line(".It \(short)\(Self.macros(option))")
            page.paragraph(Self.meaning(option))
        }
    }

    private func write(_ positionals: [Positional], _ page: inout Mdoc) {
        list(positionals, &page) { positional, page in
            page.macro("It", positional.name)
            page.paragraph(positional.help)
        }
    }

    private func write(_ codes: [Command.ExitCode], _ page: inout Mdoc) {
        list(codes, &page) { code, page in
            page.macro("It", String(code.code))
            page.paragraph(code.meaning)
        }
    }

    private func write(_ examples: [Command.Example], _ page: inout Mdoc) {
        list(examples, &page) { example, page in
            page.macro("It", example.line)
            page.paragraph(example.meaning)
        }
    }

    private func list<Item>(_ items: [Item], _ page: inout Mdoc, _ entry: (Item, inout Mdoc) -> Void) {
        guard !items.isEmpty else { return }
        page.line(".Bl -tag -width Ds")
        for item in items { entry(item, &page) }
        page.line(".El")
    }

    private func writeNotes(_ section: String, _ macro: String, _ notes: [Note], _ page: inout Mdoc) {
        guard !notes.isEmpty else { return }
        page.macro("Sh", section)
        list(notes, &page) { note, page in
            page.line(".It \(macro) \(Mdoc.argument(note.name))")
            page.paragraph(note.meaning)
        }
    }

    /// `journalctl(1)` and the like, by section, then by name, as mdoc(7) orders them.
    private func writeSeeAlso(_ page: inout Mdoc) {
        let pages = seeAlso.compactMap { text -> (name: String, section: String)? in
            let parts = text.split(whereSeparator: { $0 == "(" || $0 == ")" }).map(String.init)
            guard parts.count == 2 else { return nil }
            return (parts[0], parts[1])
        }.sorted { ($0.section, $0.name) < ($1.section, $1.name) }
        guard !pages.isEmpty else { return }
        page.macro("Sh", "SEE ALSO")
        for (place, entry) in pages.enumerated() {
            page.line(".Xr \(entry.name) \(entry.section)" + (place < pages.count - 1 ? " ," : ""))
        }
    }

    /// `Fl \-rules Ar FILE`: mdoc writes the first dash itself.
    private static func macros(_ option: Option) -> String {
        let flag = "Fl \\-" + Mdoc.escaped(option.name)
        return option.value.map { "\(flag) Ar \(Mdoc.argument($0.placeholder))" } ?? flag
    }
}
