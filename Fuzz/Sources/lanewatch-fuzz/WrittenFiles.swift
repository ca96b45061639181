import Lane
import YAML

/// What holds of the diagnostics of every file that a person wrote.
enum WrittenFiles {
    /// Something that a terminal shows as it stands: no line ends, nothing that it would obey.
    static func isShown(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count < 16_384 && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }

    static func check(_ diagnostics: [Diagnostic], _ files: [(name: String, bytes: [UInt8])], isAccepted: Bool) {
        let hasErrors = diagnostics.contains { $0.severity == .error }
        require(isAccepted != hasErrors, "a file is accepted exactly where there is no error")
        var json = JSONWriter()
        let sources = files.map { SourceText(file: $0.name, bytes: $0.bytes) }
        for diagnostic in diagnostics {
            require(isShown(diagnostic.message), "a message is one plain line: \(diagnostic.message)")
            require(diagnostic.help.map(isShown) ?? true, "a help is one plain line: \(diagnostic.help ?? "")")
            let text = diagnostic.rendered()
            require(text.hasSuffix("\n"), "each line ends with a line feed")
            diagnostic.write(to: &json)
            guard let source = sources.first(where: { $0.file == diagnostic.file }) else {
                require(false, "the file of a diagnostic, \(diagnostic.file), is one of those read")
                continue
            }
            guard let range = diagnostic.range else { continue }
            for place in [range.start, range.end] {
                require(
                    place.offset >= 0 && place.offset <= source.bytes.count && place.line >= 1 && place.column >= 1
                        && place.line <= source.lineCount,
                    "\(diagnostic.headline): \(place) lies inside the file of \(source.bytes.count) bytes")
                require(
                    source.position(atOffset: place.offset) == place,
                    "\(diagnostic.headline): \(place) is \(source.position(atOffset: place.offset))")
            }
            require(range.start <= range.end, "\(diagnostic.headline): the range ends before it begins")
        }
    }
}
