import Loop
import Screen

/// Parts of the masked screen by JPEG, each made once for all attendants who want the same at the same time.
///
/// Who comes first makes it, whoever comes meanwhile takes another part or waits for it: an encode, never somebody's line, as nothing is
/// written to a viewer while a part is in the making. What was made is kept for a tenth of a second. It is bytes of the masked frame at one
/// generation: an attendant gets only what it would have made itself.
///
/// Any thread.
final class PictureShare: @unchecked Sendable {
    // @unchecked: what is below `monitor` is touched within it alone; a compressor that was taken belongs to who took it.

    /// What makes two parts the same.
    struct Key: Hashable {
        /// The serial of the frame.
        var frame: UInt64
        var generation: UInt64
        var rect: PixelRect
        /// 1 to 100.
        var quality: Int32
        /// As `JPEGCompressor.subsamplings` has them.
        var subsampling: Int32
    }

    /// How an attendant came to a part.
    enum Found {
        /// It made it.
        case made([UInt8])
        /// Another had.
        case shared([UInt8])
        /// Another is making it.
        case busy
        /// The library refuses, or there is no memory.
        case refused
    }

    /// Milliseconds.
    static let kept: Int64 = 100
    /// Bytes of all that is kept.
    static let mostBytes = 4 << 20
    /// Compressors that are kept; as many attendants encode at a time.
    static let mostCompressors = ScratchPool.slots

    private enum Part {
        case making
        case made([UInt8])
    }

    private let monitor = Monitor()
    private var parts: [Key: Part] = [:]
    /// Those that were made, the oldest first, and when. Milliseconds.
    private var order: [(key: Key, at: Int64, bytes: Int)] = []
    private var bytes = 0
    private var compressors: [JPEGCompressor] = []

    /// The part of `key`, made by `make` where nobody has made it or is at it.
    /// - Parameters:
    ///   - waiting: for another who is at it; else it is `busy`.
    ///   - now: milliseconds of a clock that only rises.
    ///   - make: called without a lock, by a compressor that nobody else has; nil where it cannot.
    func find(
        _ key: Key, waiting: Bool, at now: Int64, make: (JPEGCompressor) -> [UInt8]?
    ) -> Found {
        let compressor: JPEGCompressor?
        switch monitor.withLock({ claim(key, waiting, now) }) {
        case .other(let found): return found
        case .own(let kept): compressor = kept ?? JPEGCompressor()
        }
        let found = compressor.flatMap(make)
        monitor.withLock {
            if let compressor, compressors.count < Self.mostCompressors { compressors.append(compressor) }
            keep(found, as: key, at: now)
            monitor.wakeAll()
        }
        return found.map { .made($0) } ?? .refused
    }

    /// Gives back what has not been used of late, and what compressors need.
    func trim(at now: Int64) {
        monitor.withLock {
            drop(before: now - Self.kept)
            if order.isEmpty { compressors.removeAll() }
        }
    }

    /// Bytes that are kept, for tests.
    var keptBytes: Int { monitor.withLock { bytes } }

    private enum Claim {
        /// It is the caller's to make, by a compressor that is there, or another.
        case own(JPEGCompressor?)
        case other(Found)
    }

    private func claim(_ key: Key, _ waiting: Bool, _ now: Int64) -> Claim {
        drop(before: now - Self.kept)
        while let part = parts[key] {
            if case .made(let found) = part { return .other(.shared(found)) }
            guard waiting else { return .other(.busy) }
            monitor.wait()
        }
        parts[key] = .making
        return .own(compressors.popLast())
    }

    private func keep(_ found: [UInt8]?, as key: Key, at now: Int64) {
        guard let found else {
            // Whoever waits for it may try.
            parts[key] = nil
            return
        }
        parts[key] = .made(found)
        order.append((key, now, found.count))
        bytes += found.count
        var count = 0
        while bytes > Self.mostBytes, count < order.count {
            forget(order[count])
            count += 1
        }
        order.removeFirst(count)
    }

    private func drop(before time: Int64) {
        let old = order.prefix { $0.at < time }
        for one in old { forget(one) }
        order.removeFirst(old.count)
    }

    private func forget(_ one: (key: Key, at: Int64, bytes: Int)) {
        parts[one.key] = nil
        bytes -= one.bytes
    }
}
