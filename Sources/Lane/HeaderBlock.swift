/// A message's headers as one run of bytes, so that neither keeping nor sending takes them apart: for each the name's
/// length (2 bytes, big-endian), the name, the value's length (4 bytes, big-endian), the value, all UTF-8.
public struct HeaderBlock: Hashable, Sendable {
    public private(set) var bytes: [UInt8]

    /// Takes `bytes` as they were kept.
    public init(kept bytes: [UInt8]) { self.bytes = bytes }

    /// An empty block with room for `count` bytes.
    public init(reserving count: Int) {
        bytes = []
        bytes.reserveCapacity(count)
    }

    public init(_ headers: [CloudEvent.Header] = []) {
        // Room for the two that the outbox adds.
        self.init(reserving: headers.reduce(96) { $0 + $1.name.utf8.count + $1.value.utf8.count + 6 })
        for header in headers { append(header.name, header.value) }
    }

    /// Names over 65535 bytes are cut: no header of ours comes near.
    public mutating func append(_ name: String, _ value: String) {
        var name = name
        var value = value
        name.withUTF8 { name in
            let name = UnsafeBufferPointer(rebasing: name.prefix(0xFFFF))
            value.withUTF8 { value in
                let values = UInt32(truncatingIfNeeded: value.count)
                bytes.append(room: 6 + name.count + value.count) { out in
                    out.storeBytes(of: UInt16(name.count).bigEndian, as: UInt16.self)
                    let place = out.copy(name, at: 2)
                    out.storeBytes(of: values.bigEndian, toByteOffset: place, as: UInt32.self)
                    return out.copy(value, at: place + 4)
                }
            }
        }
    }

    /// Where the header that begins at `place` of `block` ends; nil where there is no whole one.
    public static func end(in block: UnsafeRawBufferPointer, of place: Int) -> Int? {
        guard place >= 0, block.count - place >= 2 else { return nil }
        let name = Int(UInt16(bigEndian: block.loadUnaligned(fromByteOffset: place, as: UInt16.self)))
        let value = place + 2 + name
        guard block.count - value >= 4 else { return nil }
        let end = value + 4 + Int(UInt32(bigEndian: block.loadUnaligned(fromByteOffset: value, as: UInt32.self)))
        return end <= block.count ? end : nil
    }

    /// The headers in order, up to the first byte that fits no header.
    public var headers: [CloudEvent.Header] {
        var found: [CloudEvent.Header] = []
        var rest = bytes[...]
        while let name = Self.take(&rest, lengthBytes: 2), let value = Self.take(&rest, lengthBytes: 4) {
            found.append(CloudEvent.Header(name, value))
        }
        return found
    }

    public subscript(name: String) -> String? { headers.first { $0.name == name }?.value }

    private static func take(_ rest: inout ArraySlice<UInt8>, lengthBytes: Int) -> String? {
        guard rest.count >= lengthBytes else { return nil }
        let length = rest.prefix(lengthBytes).reduce(0) { $0 << 8 | Int($1) }
        rest = rest.dropFirst(lengthBytes)
        guard rest.count >= length else { return nil }
        defer { rest = rest.dropFirst(length) }
        return String(decoding: rest.prefix(length), as: UTF8.self)
    }
}
