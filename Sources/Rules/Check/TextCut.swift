import YAML

/// A stretch of a scalar's text, as bytes, that knows where it stands in the file.
struct TextCut {
    let node: YAMLNode
    let bytes: [UInt8]
    var range: Range<Int>

    /// The whole text of `node`, blanks around it cut.
    init(_ text: String, _ node: YAMLNode) {
        self.node = node
        bytes = Array(text.utf8)
        range = 0..<bytes.count
        trim()
    }

    var text: String { String(decoding: bytes[range], as: UTF8.self) }
    var isEmpty: Bool { range.isEmpty }
    var first: UInt8? { bytes[range].first }
    var last: UInt8? { bytes[range].last }
    /// Where it stands in the file; the whole scalar where it is empty.
    var place: SourceRange { range.isEmpty ? node.range : node.range(ofBytes: range) }

    func has(prefix: StaticString) -> Bool { starts(prefix, at: range.lowerBound) }

    /// The part from `lower` to `upper`, blanks around it cut.
    func cut(_ lower: Int, _ upper: Int) -> TextCut {
        var part = self
        part.range = lower..<max(lower, upper)
        part.trim()
        return part
    }

    /// The parts between the words `separator`, each of which has blanks on both sides.
    func split(by separator: StaticString) -> [TextCut] {
        var parts: [TextCut] = []
        var begin = range.lowerBound
        var index = begin
        while index < range.upperBound {
            let after = index + separator.utf8CodeUnitCount
            if starts(separator, at: index), index > range.lowerBound, Self.isBlank(bytes[index - 1]),
                after < range.upperBound, Self.isBlank(bytes[after])
            {
                parts.append(cut(begin, index))
                begin = after
                index = after
            } else {
                index += 1
            }
        }
        parts.append(cut(begin, range.upperBound))
        return parts
    }

    /// The parts between the bytes `separator`.
    func split(at separator: UInt8) -> [TextCut] {
        var parts: [TextCut] = []
        var begin = range.lowerBound
        for index in range where bytes[index] == separator {
            parts.append(cut(begin, index))
            begin = index + 1
        }
        parts.append(cut(begin, range.upperBound))
        return parts
    }

    /// The parts between blanks.
    func words() -> [TextCut] {
        var parts: [TextCut] = []
        var begin = range.lowerBound
        for index in range where Self.isBlank(bytes[index]) {
            if index > begin { parts.append(cut(begin, index)) }
            begin = index + 1
        }
        if begin < range.upperBound { parts.append(cut(begin, range.upperBound)) }
        return parts
    }

    /// Where the first byte stands that `isWanted` refuses, from the beginning of this cut.
    func end(of isWanted: (UInt8) -> Bool) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, isWanted(bytes[index]) { index += 1 }
        return index
    }

    static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private func starts(_ text: StaticString, at index: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard index + count <= range.upperBound else { return false }
        for place in 0..<count where bytes[index + place] != text.utf8Start[place] { return false }
        return true
    }

    private mutating func trim() {
        var (lower, upper) = (range.lowerBound, range.upperBound)
        while lower < upper, Self.isBlank(bytes[lower]) { lower += 1 }
        while lower < upper, Self.isBlank(bytes[upper - 1]) { upper -= 1 }
        range = lower..<upper
    }
}
