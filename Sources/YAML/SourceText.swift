/// A place in a file.
public struct SourcePosition: Hashable, Comparable, Sendable {
    /// From 1. A line ends with LF, CR LF or CR.
    public var line: Int
    /// From 1, counted in Unicode scalars. A byte order mark is not counted.
    public var column: Int
    /// Bytes from the beginning of the file, from 0.
    public var offset: Int

    public init(line: Int, column: Int, offset: Int) {
        self.line = line
        self.column = column
        self.offset = offset
    }

    public static func < (a: SourcePosition, b: SourcePosition) -> Bool { a.offset < b.offset }
}

/// A stretch of a file. `end` is the place after its last character; equal to `start` for what has no text of its own.
public struct SourceRange: Hashable, Sendable {
    public var start: SourcePosition
    public var end: SourcePosition

    public init(start: SourcePosition, end: SourcePosition) {
        self.start = start
        self.end = end
    }
}

/// A file's name and bytes, with its lines found: what excerpts are cut from.
public final class SourceText: Sendable {
    /// As it is shown to people.
    public let file: String
    public let bytes: [UInt8]
    /// The offset at which each line begins. The first is behind a byte order mark, where there is one.
    private let lineStarts: [Int]

    public init(file: String, bytes: [UInt8]) {
        self.file = file
        self.bytes = bytes
        let begin = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        var starts = [begin]
        bytes.withUnsafeBufferPointer { bytes in
            var index = begin
            while index < bytes.count {
                let byte = bytes[index]
                index += 1
                if byte == 0x0A {
                    starts.append(index)
                } else if byte == 0x0D {
                    if index < bytes.count, bytes[index] == 0x0A { index += 1 }
                    starts.append(index)
                }
            }
        }
        lineStarts = starts
    }

    public var lineCount: Int { lineStarts.count }

    /// The place of the byte at `offset`, which is brought inside the file first. Linear in the length of its line.
    public func position(atOffset offset: Int) -> SourcePosition {
        let offset = min(max(offset, lineStarts[0]), bytes.count)
        var (low, high) = (0, lineStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if lineStarts[middle] <= offset { low = middle } else { high = middle }
        }
        let column = 1 + Self.scalars(in: bytes[lineStarts[low]..<offset])
        return SourcePosition(line: low + 1, column: column, offset: offset)
    }

    /// The bytes of line `number` (from 1) without its line break; empty for a line that is not there.
    func line(_ number: Int) -> Range<Int> {
        guard number >= 1, number <= lineStarts.count else { return bytes.count..<bytes.count }
        let start = lineStarts[number - 1]
        var end = number < lineStarts.count ? lineStarts[number] : bytes.count
        while end > start, bytes[end - 1] == 0x0A || bytes[end - 1] == 0x0D { end -= 1 }
        return start..<end
    }

    /// How many Unicode scalars `bytes` hold: every byte that does not continue one begins one.
    static func scalars(in bytes: ArraySlice<UInt8>) -> Int {
        var count = 0
        for byte in bytes where byte & 0xC0 != 0x80 { count += 1 }
        return count
    }
}
