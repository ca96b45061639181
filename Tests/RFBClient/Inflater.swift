import CZlib

/// A zlib stream that goes on from one rectangle to the next.
final class Inflater {
    private let stream: UnsafeMutablePointer<z_stream>

    init() throws {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        guard inflateInit_(stream, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw RFBClientError.wrong("no zlib")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    func reset() { inflateReset(stream) }

    /// All that `bytes` unpacks to; at most `most`.
    func unpack(_ bytes: [UInt8], most: Int) throws -> [UInt8] {
        var input = bytes
        var output: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 64 << 10)
        try input.withUnsafeMutableBufferPointer { input in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            while true {
                let (code, made) = room.withUnsafeMutableBufferPointer { room in
                    stream.pointee.next_out = room.baseAddress
                    stream.pointee.avail_out = UInt32(room.count)
                    let code = inflate(stream, Z_SYNC_FLUSH)
                    return (code, room.count - Int(stream.pointee.avail_out))
                }
                guard code == Z_OK || code == Z_BUF_ERROR || code == Z_STREAM_END else {
                    throw RFBClientError.wrong("zlib says \(code)")
                }
                output += room[..<made]
                guard output.count <= most else { throw RFBClientError.wrong("more than \(most) bytes unpacked") }
                if code == Z_STREAM_END { break }
                if made < room.count, stream.pointee.avail_in == 0 || code == Z_BUF_ERROR { break }
            }
        }
        return output
    }
}
