import Lane
import YAML

/// What holds of the diagnostics of every file that a person wrote.
enum WrittenFiles {
    static func check(_ diagnostics: [Diagnostic], _ files: [(name: String, bytes: [UInt8])], isAccepted: Bool) {
        let hasErrors = diagnostics.contains { $0.severity == .error }
        require(isAccepted != hasErrors, "a file is accepted exactly where there is no error")
        var json = JSONWriter()
        for diagnostic in diagnostics {
            require(!diagnostic.message.isEmpty && !diagnostic.message.contains("\n"), "a message is one line")
            let text = diagnostic.rendered()
            require(text.hasSuffix("\n"), "each line ends with a line feed")
            diagnostic.write(to: &json)
            guard let file = files.first(where: { $0.name == diagnostic.file }) else {
                require(false, "the file of a diagnostic, \(diagnostic.file), is one of those read")
                continue
            }
            guard let range = diagnostic.range else { continue }
            let source = SourceText(file: file.name, bytes: file.bytes)
            for place in [range.start, range.end] {
                require(
                    place.offset >= 0 && place.offset <= file.bytes.count && place.line >= 1 && place.column >= 1
                        && place.line <= source.lineCount,
                    "\(diagnostic.headline): \(place) lies inside the file of \(file.bytes.count) bytes")
                require(
                    source.position(atOffset: place.offset) == place,
                    "\(diagnostic.headline): \(place) is \(source.position(atOffset: place.offset))")
            }
            require(range.start <= range.end, "\(diagnostic.headline): the range ends before it begins")
        }
    }
}
