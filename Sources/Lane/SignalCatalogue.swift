/// What a lane can say: the types of signals, their attributes, and which feed may bring them.
///
/// There is one, compiled in from `rules/signals.yaml`: `ShippedCatalogue.swift` is generated, and a test holds the two equal.
public struct SignalCatalogue: Sendable {
    public enum Kind: String, Hashable, Sendable {
        case text, int
    }

    public struct Declared: Hashable, Sendable {
        public var name: AttributeName
        public var kind: Kind
        /// The unit of an int (`g`, `minor`, `s`, …), or empty.
        public var unit: String

        init(_ index: UInt16, _ kind: Kind, _ unit: String = "") {
            name = AttributeName(index: index)
            self.kind = kind
            self.unit = unit
        }
    }

    public struct Entry: Sendable {
        public var name: String
        public var from: [FeedKind]
        /// In the order of the file, which is the order of help texts.
        public var attributes: [Declared]
        public var doc: String
        /// How many a second a busy lane brings at its peak; 0 where that is not worth knowing.
        public var rate: Int

        init(_ name: String, _ from: [FeedKind], _ attributes: [Declared], _ doc: String, rate: Int = 0) {
            self.name = name
            self.from = from
            self.attributes = attributes
            self.doc = doc
            self.rate = rate
        }

        /// How `name` is declared on this type, or nil when it is not.
        @inlinable public func declared(_ name: AttributeName) -> Declared? {
            for attribute in attributes where attribute.name == name { return attribute }
            return nil
        }
    }

    public static let shipped = SignalCatalogue(entries: shippedEntries, attributeNames: shippedAttributeNames)

    /// By `SignalType.index`.
    public let entries: [Entry]
    /// By `AttributeName.index`.
    public let attributeNames: [String]

    private let typeIndex: NameIndex
    private let attributeIndex: NameIndex

    init(entries: [Entry], attributeNames: [String]) {
        self.entries = entries
        self.attributeNames = attributeNames
        typeIndex = NameIndex(entries.map(\.name))
        attributeIndex = NameIndex(attributeNames)
    }

    public subscript(type: SignalType) -> Entry { entries[Int(type.index)] }

    /// Every type, in the order of the file.
    public var types: [SignalType] { entries.indices.map { SignalType(index: UInt16($0)) } }

    public func type(named name: String) -> SignalType? {
        var name = name
        return name.withUTF8 { type(named: UnsafeRawBufferPointer($0)) }
    }

    public func attribute(named name: String) -> AttributeName? {
        var name = name
        return name.withUTF8 { attribute(named: UnsafeRawBufferPointer($0)) }
    }

    /// The same from UTF-8 bytes, without making a string: socket lines and recordings come by the million.
    public func type(named bytes: UnsafeRawBufferPointer) -> SignalType? {
        typeIndex.find(bytes).map { SignalType(index: $0) }
    }

    public func attribute(named bytes: UnsafeRawBufferPointer) -> AttributeName? {
        attributeIndex.find(bytes).map { AttributeName(index: $0) }
    }
}

/// Names to their places: open addressing over FNV-1a, at most half full, never changed after it is made.
struct NameIndex: Sendable {
    private let names: [[UInt8]]
    private let slots: [UInt16]
    private let mask: Int
    private static let empty = UInt16.max

    init(_ names: [String]) {
        self.names = names.map { Array($0.utf8) }
        var size = 16
        while size < names.count * 4 { size *= 2 }
        mask = size - 1
        var slots = [UInt16](repeating: Self.empty, count: size)
        for (place, name) in self.names.enumerated() {
            var slot = name.withUnsafeBytes { Self.hash($0) } & (size - 1)
            while slots[slot] != Self.empty { slot = (slot + 1) & (size - 1) }
            slots[slot] = UInt16(place)
        }
        self.slots = slots
    }

    func find(_ bytes: UnsafeRawBufferPointer) -> UInt16? {
        var slot = Self.hash(bytes) & mask
        while true {
            let place = slots[slot]
            if place == Self.empty { return nil }
            if names[Int(place)].withUnsafeBytes({ Self.equal($0, bytes) }) { return place }
            slot = (slot + 1) & mask
        }
    }

    private static func equal(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
        guard a.count == b.count else { return false }
        for i in 0..<a.count where a[i] != b[i] { return false }
        return true
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash: UInt32 = 2_166_136_261
        for byte in bytes { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int(hash)
    }
}
