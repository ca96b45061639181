import CLinux
import Glibc

/// What a device has typed so far, as long as nobody knows whether it is a card: fixed memory of its own, never a String or
/// an Array, wiped after use with explicit_bzero(3), which no optimiser leaves out.
///
/// Beside each character stands the digit printed on the key that typed it: with the wrong layout (a French one types
/// digits with Shift) a card's number would otherwise look like punctuation.
///
/// Owner: one decoder, on the thread that runs it.
final class SecretText {
    /// The position of a character that was not typed with a key that has a digit on it.
    static let noDigit: UInt8 = 0xff

    let capacity: Int
    private(set) var count = 0
    private let scalars: UnsafeMutablePointer<UInt32>
    private let positions: UnsafeMutablePointer<UInt8>

    init(capacity: Int) {
        self.capacity = max(1, capacity)
        scalars = .allocate(capacity: self.capacity)
        scalars.initialize(repeating: 0, count: self.capacity)
        positions = .allocate(capacity: self.capacity)
        positions.initialize(repeating: 0, count: self.capacity)
    }

    deinit {
        wipe()
        scalars.deallocate()
        positions.deallocate()
    }

    /// False when it is full: nothing was added.
    func append(_ scalar: UInt32, position: UInt8?) -> Bool {
        guard count < capacity else { return false }
        scalars[count] = scalar
        positions[count] = position ?? Self.noDigit
        count += 1
        return true
    }

    /// Unicode scalars, in order of typing. Valid until the next change; never keep a copy before `CardFilter` has seen it.
    var text: UnsafeBufferPointer<UInt32> { UnsafeBufferPointer(start: scalars, count: count) }
    /// For each scalar the digit 0–9 on its key, or `noDigit`.
    var digits: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: positions, count: count) }

    func wipe() {
        explicit_bzero(scalars, capacity * MemoryLayout<UInt32>.stride)
        explicit_bzero(positions, capacity)
        count = 0
    }
}

/// A run of digits inside a text, read where it lies.
struct Digits: BidirectionalCollection {
    private let scalars: UnsafeBufferPointer<UInt32>
    let startIndex: Int
    let endIndex: Int

    /// `range` holds ASCII digits only and lies within `scalars`.
    init(of scalars: UnsafeBufferPointer<UInt32>, in range: Range<Int>) {
        self.scalars = scalars
        startIndex = range.lowerBound
        endIndex = range.upperBound
    }

    subscript(index: Int) -> UInt8 { UInt8(truncatingIfNeeded: scalars[index] &- 0x30) }
    func index(after index: Int) -> Int { index + 1 }
    func index(before index: Int) -> Int { index - 1 }
    var count: Int { endIndex - startIndex }
}
