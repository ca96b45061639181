import CYAML

/// libyaml's marks, which count characters, as positions, which know bytes too.
struct PlaceTable {
    /// Where the text begins: behind a byte order mark.
    let begin: Int
    /// The offset of each character, and one more; empty where every character is one byte.
    private var offsets: [UInt32] = []
    private let source: SourceText

    init(_ source: SourceText) {
        self.source = source
        begin = source.bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        guard source.bytes.contains(where: { $0 >= 0x80 }) else { return }
        offsets.reserveCapacity(source.bytes.count)
        for (offset, byte) in source.bytes.enumerated() where offset >= begin && byte & 0xC0 != 0x80 {
            offsets.append(UInt32(offset))
        }
        offsets.append(UInt32(source.bytes.count))
    }

    func offset(ofCharacter index: Int) -> Int {
        if offsets.isEmpty { return min(begin + index, source.bytes.count) }
        return Int(offsets[min(index, offsets.count - 1)])
    }

    func position(_ mark: yaml_mark_t) -> SourcePosition {
        let offset = offset(ofCharacter: mark.index)
        // At the end of a file without a last line break libyaml is already on the next line.
        if offset == source.bytes.count { return source.position(atOffset: offset) }
        return SourcePosition(line: mark.line + 1, column: mark.column + 1, offset: offset)
    }

    func range(_ start: yaml_mark_t, _ end: yaml_mark_t) -> SourceRange {
        SourceRange(start: position(start), end: position(end))
    }
}
