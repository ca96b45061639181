import Lane

/// The chain of a lane's messages on a topic: each names the digest of the value before it.
///
/// A link is checked where the message before it was seen; behind a gap the chain begins anew.
struct AuditChain: Hashable, Sendable {
    private struct Last: Hashable {
        var place: SequenceLedger.Place
        var digest: [UInt8]
    }

    private var last: Last?

    private static let start = Array("{\"previous\":\"".utf8)
    private static let zeros = [UInt8](repeating: 48, count: 64)

    /// The link that `value` begins with; nil where the message is not chained.
    static func link(of value: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard value.count >= start.count + 65, value.starts(with: start), value[start.count + 64] == 0x22 else {
            return nil
        }
        return UnsafeRawBufferPointer(rebasing: value[start.count..<start.count + 64])
    }

    /// A chained message came for the first time.
    /// - Parameters:
    ///   - from: the first sequence that it stands for, where it stands for several: its link is that one's.
    ///   - digest: what the next one must name, where it is not the digest of `value` itself: of a message that
    ///   stands for another.
    /// - Returns: whether its link is right; nil where the one before was not seen.
    mutating func take(
        _ place: SequenceLedger.Place, from: Int64? = nil, link: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer,
        digest: String?
    ) -> Bool? {
        defer {
            // What fills a gap is no longer what the next one follows.
            if last.map({ $0.place < place }) ?? true {
                last = Last(place: place, digest: Array((digest ?? SHA256.hex(Array(value))).utf8))
            }
        }
        let first = from ?? place.seq
        if first == 1 { return link.elementsEqual(Self.zeros) }
        guard let last, last.place == SequenceLedger.Place(epoch: place.epoch, seq: first - 1) else { return nil }
        return link.elementsEqual(last.digest)
    }
}
