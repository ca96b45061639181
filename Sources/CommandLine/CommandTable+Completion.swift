extension CommandTable {
    /// A script for bash that completes commands, options and their values; needs nothing but bash 4.
    /// Source: bash(1), "Programmable Completion".
    public func bashCompletion() -> String {
        let name = "_" + root.name.map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        var text = "# bash completion for \(root.name), made from its table of commands. Do not edit.\n\n"
        text += Self.helpers(name)
        text += "\(name)()\n{\n"
        text += """
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path= word i place=0
                COMPREPLY=()
                # bash takes "--name=value" apart: "--name", "=", "value".
                if [[ $cur == "=" ]]; then
                    cur=
                elif [[ $prev == "=" ]]; then
                    prev=${COMP_WORDS[COMP_CWORD-2]}
                fi
                for ((i = 1; i < COMP_CWORD; i++)); do
                    word=${COMP_WORDS[i]}
                    case "$path:$word" in

            """
        let valued = everyCommand.flatMap { path, _ in
            (chain(to: path).map { options(of: $0) } ?? []).filter { $0.value != nil }.map { (path, $0) }
        }
        if !valued.isEmpty {
            text += "            " + valued.map { Self.patterns($0.0, $0.1) }.joined(separator: "|") + ")\n"
            text += "                [[ ${COMP_WORDS[i+1]} == \"=\" ]] && ((i++))\n                ((i++)) ;;\n"
        }
        for (path, _) in everyCommand where !path.isEmpty {
            text += "            \"\(Self.key(path.dropLast())):\(path.last ?? "")\") path+=\"/$word\" ;;\n"
        }
        text += "            *) [[ $word == -* || $word == \"=\" ]] || ((place++)) ;;\n"
        text += "        esac\n    done\n"
        text += "    case \"$path:$prev\" in\n"
        for (path, option) in valued {
            guard let value = option.value else { continue }
            text += "        \(Self.patterns(path, option))) \(Self.offer(name, value.kind)); return ;;\n"
        }
        text += "    esac\n    case \"$path\" in\n"
        for (path, command) in everyCommand {
            let words = (chain(to: path).map { options(of: $0) } ?? []).map(\.dashed).joined(separator: " ")
            text += "        \"\(Self.key(path[...]))\")\n"
            text += "            if [[ $cur == -* ]]; then \(name)_words \"\(words)\"; return; fi\n"
            if !command.commands.isEmpty {
                let names = command.commands.map(\.name) + (path.isEmpty ? ["help"] : [])
                text += "            \(name)_words \"\(names.joined(separator: " "))\" ;;\n"
            } else {
                text += "            case $place in\n"
                for (place, positional) in command.positionals.enumerated() {
                    text += "                \(positional.count.isMany ? "*" : String(place))) "
                    text += "\(Self.offer(name, positional.kind)) ;;\n"
                }
                text += "            esac ;;\n"
            }
        }
        text += "    esac\n}\n\ncomplete -F \(name) \(root.name)\n"
        return text
    }

    private static func key(_ path: ArraySlice<String>) -> String { path.map { "/" + $0 }.joined() }

    /// The words after which a value of `option` comes: `"/check:--rules"|"/check:-r"`.
    private static func patterns(_ path: [String], _ option: Option) -> String {
        let written = [option.dashed] + (option.short.map { ["-\($0)"] } ?? [])
        return written.map { "\"\(key(path[...])):\($0)\"" }.joined(separator: "|")
    }

    private static func offer(_ name: String, _ kind: ValueKind) -> String {
        switch kind {
        case .text, .integer, .duration: return ":"
        case .file(let suffixes): return ([name + "_files"] + suffixes).joined(separator: " ")
        case .path: return name + "_files"
        case .directory: return name + "_directories"
        case .choice(let words): return "\(name)_words \"\(words.joined(separator: " "))\""
        }
    }

    private static func helpers(_ name: String) -> String {
        """
        \(name)_words()
        {
            mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
        }

        \(name)_directories()
        {
            compopt -o filenames 2>/dev/null
            mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        }

        # Directories, and files whose names end in one of the suffixes; all files without any.
        \(name)_files()
        {
            local suffix
            compopt -o filenames 2>/dev/null
            if (($# == 0)); then
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                return
            fi
            mapfile -t COMPREPLY < <(compgen -d -- "$cur"; for suffix; do compgen -f -X "!*.$suffix" -- "$cur"; done)
        }


        """
    }
}
