extension [UInt8] {
    /// Appends what `write` puts into the front of `room` bytes; it returns how many. Room is looked for once, which many small
    /// appends do each time.
    @inline(__always)
    mutating func append(room: Int, _ write: (UnsafeMutableRawBufferPointer) -> Int) {
        append(addingCapacity: room) { (span: inout OutputSpan<UInt8>) in
            span.withUnsafeMutableBufferPointer { out, count in count = write(UnsafeMutableRawBufferPointer(out)) }
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    /// Copies `bytes` to `place`, and returns where they end.
    @inline(__always)
    func copy(_ bytes: UnsafeBufferPointer<UInt8>, at place: Int) -> Int {
        UnsafeMutableRawBufferPointer(rebasing: self[place...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
        return place + bytes.count
    }
}
