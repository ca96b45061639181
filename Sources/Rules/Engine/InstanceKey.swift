import Lane

/// The values of `same` of one instance of a rule: what joins its signals. Compared byte for byte.
struct InstanceKey: Hashable, Sendable {
    /// Key values are cut to this many bytes, at a character's boundary, before they are compared or printed.
    static let maximumBytes = 256

    /// One instance for the whole lane: a rule without `same`.
    static let lane = InstanceKey()

    let count: Int
    private let first: String
    private let rest: [String]

    private init() {
        count = 0
        first = ""
        rest = []
    }

    init(_ value: String) {
        count = 1
        first = value
        rest = []
    }

    init(_ values: [String]) {
        count = values.count
        first = values.first ?? ""
        rest = Array(values.dropFirst())
    }

    subscript(place: Int) -> String { place == 0 ? first : rest[place - 1] }

    var values: [String] { count == 0 ? [] : [first] + rest }

    static func == (a: InstanceKey, b: InstanceKey) -> Bool {
        guard a.count == b.count, a.first.hasSameBytes(as: b.first) else { return false }
        for place in a.rest.indices where !a.rest[place].hasSameBytes(as: b.rest[place]) { return false }
        return true
    }

    func hash(into hasher: inout Hasher) {
        first.hashBytes(into: &hasher)
        for value in rest { value.hashBytes(into: &hasher) }
    }
}

extension AttributeValue {
    /// The value as a part of a key.
    var keyValue: String {
        switch self {
        case .text(let text): return text.cut(toBytes: InstanceKey.maximumBytes)
        case .int(let number): return String(number)
        }
    }
}

extension String {
    /// At most `limit` bytes of UTF-8, cut before the character (Unicode scalar) that would pass it.
    func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        var end = utf8.index(utf8.startIndex, offsetBy: limit)
        while end > startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }

    /// Equal as bytes. `==` would also call two ways of writing an accented letter equal, by tables that change with
    /// the version of Unicode; what a lane says must not depend on them.
    func hasSameBytes(as other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let quick = utf8.withContiguousStorageIfAvailable { mine in
            other.utf8.withContiguousStorageIfAvailable { theirs in
                for place in 0..<mine.count where mine[place] != theirs[place] { return false }
                return true
            }
        }
        return (quick ?? nil) ?? utf8.elementsEqual(other.utf8)
    }

    fileprivate func hashBytes(into hasher: inout Hasher) {
        hasher.combine(utf8.count)
        let done: Void? = utf8.withContiguousStorageIfAvailable { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        if done == nil { for byte in utf8 { hasher.combine(byte) } }
    }
}
