import Glibc
import Lane

/// Consecutive messages of one topic as one row holds them: what a commit brings for a topic goes to the disk in one
/// piece, and is taken off it in one.
///
/// Layout, numbers big-endian: format (1 byte: 2), sequence number of the first message (8), length of the key (4), the key all
/// of them have; then for each message its id (16), headers, length of the value (4; all ones where there is none), value.
/// Headers say what differs from the message before, as half of a message is headers and most of them never change:
/// 1 to 127, so many headers as there; 128, one header as a `HeaderBlock` holds it, in the place of one there; 129, a
/// length (4) and bytes that are no headers; 0, the end. Last a seal (8) over all before it: SQLite looks after its pages, and
/// not after what a disk does to the bytes in them. Format 1, of earlier versions, has none.
struct RunWriter {
    /// No message is added to a run that has reached this. Small enough that reading the rest of one costs little.
    static let enough = 60_000
    static let format: UInt8 = 2
    static let unsealed: UInt8 = 1
    static let noValue = UInt32.max

    static let end: UInt8 = 0
    static let literal: UInt8 = 128
    static let rest: UInt8 = 129

    let key: String
    /// All but the seal.
    private var body: [UInt8] = []
    /// The headers of the message before.
    private var before: [UInt8] = []
    private(set) var last: Int64

    init(key: String, first: Int64) {
        self.key = key
        last = first - 1
        body.reserveCapacity(4096)
        body.append(Self.format)
        append(UInt64(bitPattern: first))
        append(UInt32(truncatingIfNeeded: key.utf8.count))
        body.append(contentsOf: key.utf8)
    }

    /// The run as it is kept.
    var bytes: [UInt8] {
        var sealed = body
        let seal = body.withUnsafeBytes { Seal.of($0) }
        withUnsafeBytes(of: seal.bigEndian) { sealed.append(contentsOf: $0) }
        return sealed
    }

    var isFull: Bool { body.count >= Self.enough }

    /// Adds the message that follows.
    mutating func append(_ id: LaneUUID, _ headers: HeaderBlock, _ value: [UInt8]?) {
        last += 1
        append(id.high)
        append(id.low)
        append(headers.bytes)
        guard let value else { return append(Self.noValue) }
        append(UInt32(truncatingIfNeeded: value.count))
        body.append(contentsOf: value)
    }

    private mutating func append(_ headers: [UInt8]) {
        let before = before
        headers.withUnsafeBytes { now in
            before.withUnsafeBytes { old in
                var place = 0
                var oldPlace = 0
                var same: UInt8 = 0
                while let end = HeaderBlock.end(in: now, of: place) {
                    let header = UnsafeRawBufferPointer(rebasing: now[place..<end])
                    let oldEnd = HeaderBlock.end(in: old, of: oldPlace) ?? oldPlace
                    if same < Self.literal - 1, header.count == oldEnd - oldPlace, let base = old.baseAddress,
                        let start = header.baseAddress, memcmp(start, base + oldPlace, header.count) == 0
                    {
                        same += 1
                    } else {
                        if same > 0 { body.append(same) }
                        same = 0
                        body.append(Self.literal)
                        body.append(contentsOf: header)
                    }
                    place = end
                    oldPlace = oldEnd
                }
                if same > 0 { body.append(same) }
                if place < now.count {
                    body.append(Self.rest)
                    append(UInt32(truncatingIfNeeded: now.count - place))
                    body.append(contentsOf: UnsafeRawBufferPointer(rebasing: now[place...]))
                }
                body.append(Self.end)
            }
        }
        self.before = headers
    }

    private mutating func append(_ number: some FixedWidthInteger) {
        withUnsafeBytes(of: number.bigEndian) { body.append(contentsOf: $0) }
    }
}

/// Tells whether bytes are what they were. Whatever happens within one word of eight bytes shows, and nearly all else: each
/// step is one to one in the word and in what came before. Against accidents, not against malice.
enum Seal {
    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var state: UInt64 = 0x9E37_79B9_7F4A_7C15 ^ UInt64(bytes.count)
        func take(_ word: UInt64) {
            state = (state ^ word) &* 0xD6E8_FEB8_6659_FD93
            state ^= state >> 32
        }
        var place = 0
        while place + 8 <= bytes.count {
            take(bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self).littleEndian)
            place += 8
        }
        var rest: UInt64 = 0
        while place < bytes.count {
            rest = rest << 8 | UInt64(bytes[place])
            place += 1
        }
        take(rest)
        return state
    }
}

/// Reads a run in place. One that is not what was written is none.
struct RunReader {
    private let bytes: UnsafeRawBufferPointer
    private var place = 0
    private(set) var key = ""
    /// The sequence number of the message that comes next.
    private(set) var next: Int64 = 0
    /// The headers of the message before.
    private var before: [UInt8] = []

    /// Nil where the bytes are no run. `bytes` must live as long as the reader.
    init?(_ whole: UnsafeRawBufferPointer) {
        switch whole.first {
        case RunWriter.unsealed: bytes = whole
        case RunWriter.format:
            guard whole.count > 8 else { return nil }
            bytes = UnsafeRawBufferPointer(rebasing: whole[..<(whole.count - 8)])
            let seal = whole.loadUnaligned(fromByteOffset: bytes.count, as: UInt64.self)
            guard Seal.of(bytes) == UInt64(bigEndian: seal) else { return nil }
        default: return nil
        }
        place = 1
        guard let first = number(UInt64.self), let count = number(UInt32.self), let key = take(Int(count)) else {
            return nil
        }
        next = Int64(bitPattern: first)
        self.key = String(decoding: key, as: UTF8.self)
    }

    struct Message {
        var seq: Int64
        var id: LaneUUID
        var headers: HeaderBlock
        var value: UnsafeRawBufferPointer?
    }

    mutating func message() -> Message? {
        guard let high = number(UInt64.self), let low = number(UInt64.self), let headers = headers(),
            let count = number(UInt32.self)
        else { return nil }
        var value: UnsafeRawBufferPointer?
        if count != RunWriter.noValue {
            guard let taken = take(Int(count)) else { return nil }
            value = taken
        }
        // Not more than a damaged row may say.
        next &+= 1
        before = headers
        return Message(
            seq: next &- 1, id: LaneUUID(high: high, low: low), headers: HeaderBlock(kept: headers), value: value)
    }

    private mutating func headers() -> [UInt8]? {
        var headers: [UInt8] = []
        headers.reserveCapacity(before.count + 64)
        var oldPlace = 0
        while let sign = number(UInt8.self) {
            switch sign {
            case RunWriter.end: return headers
            case RunWriter.literal:
                guard let end = HeaderBlock.end(in: bytes, of: place), let header = take(end - place) else {
                    return nil
                }
                headers.append(contentsOf: header)
                oldPlace = before.withUnsafeBytes { HeaderBlock.end(in: $0, of: oldPlace) } ?? oldPlace
            case RunWriter.rest:
                guard let count = number(UInt32.self), let rest = take(Int(count)) else { return nil }
                headers.append(contentsOf: rest)
            case 1..<RunWriter.literal:
                let isThere = before.withUnsafeBytes { old in
                    var end = oldPlace
                    for _ in 0..<sign {
                        guard let next = HeaderBlock.end(in: old, of: end) else { return false }
                        end = next
                    }
                    headers.append(contentsOf: UnsafeRawBufferPointer(rebasing: old[oldPlace..<end]))
                    oldPlace = end
                    return true
                }
                guard isThere else { return nil }
            default: return nil
            }
        }
        return nil
    }

    private mutating func number<T: FixedWidthInteger>(_: T.Type) -> T? {
        take(MemoryLayout<T>.size).map { T(bigEndian: $0.loadUnaligned(as: T.self)) }
    }

    private mutating func take(_ count: Int) -> UnsafeRawBufferPointer? {
        guard bytes.count - place >= count else { return nil }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<place + count])
    }
}

/// Where a run lies in its table: the stream of its topic and epoch, then the sequence number of its last message. So runs
/// lie in order, and the first run behind a message is the one that holds the next.
enum Place {
    /// Sequence numbers have 14 digits.
    static let seqBits: Int64 = 47
    static let streamLimit: Int64 = 1 << 16

    static func of(_ stream: Int64, _ seq: Int64) -> Int64 { stream << seqBits | min(seq, (1 << seqBits) - 1) }

    static func seq(_ place: Int64) -> Int64 { place & ((1 << seqBits) - 1) }

    static func end(of stream: Int64) -> Int64 { of(stream, .max) }
}
