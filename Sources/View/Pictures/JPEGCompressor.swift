import CTurboJPEG
import Glibc
import Screen

/// Makes JPEGs of parts of a picture. One at a time; any thread, as long as it is one.
///
/// libvncserver 0.9.14 has an older TurboJPEG in it and exports it: which of the two a process gets is the linker's affair, and the
/// same for all of it. So nothing is called here that is not in both. Source: turbojpeg.h, version 1.2.
final class JPEGCompressor {
    /// How colours are stored, beside brightness, in the numbers of libvncserver's `turboSubsampLevel`.
    static let subsamplings = [TJSAMP_444, TJSAMP_420, TJSAMP_422, TJSAMP_GRAY]
    /// Pixels of the largest part.
    static let mostPixels = 64 << 10

    private let handle: tjhandle
    /// Large enough for the worst of a part: only what is written of it takes memory.
    private let room: UnsafeMutablePointer<UInt8>
    private let capacity: Int

    /// nil without memory.
    init?() {
        // Twice what the widest part needs: one of another shape is rounded up to whole blocks at its edges.
        let rows = Self.mostPixels / PictureStrips.mostColumns
        capacity = 2 * Int(tjBufSize(Int32(PictureStrips.mostColumns), Int32(rows), Int32(TJSAMP_444.rawValue)))
        guard let handle = tjInitCompress() else { return nil }
        guard let room = malloc(capacity) else {
            tjDestroy(handle)
            return nil
        }
        self.handle = handle
        self.room = room.assumingMemoryBound(to: UInt8.self)
    }

    deinit {
        tjDestroy(handle)
        free(room)
    }

    /// - Parameters:
    ///   - rect: at most `mostPixels`.
    ///   - pixels: four bytes each, blue, green, red and one that means nothing, in rows of `stride` bytes.
    ///   - quality: 1 to 100.
    ///   - subsampling: a place in `subsamplings`.
    /// - Returns: nil where the library refuses.
    func jpeg(
        of rect: PixelRect, in pixels: UnsafeRawPointer, stride: Int, quality: Int32, subsampling: Int32
    ) -> UnsafeBufferPointer<UInt8>? {
        guard Self.subsamplings.indices.contains(Int(subsampling)), (1...100).contains(quality) else { return nil }
        let kind = Int32(Self.subsamplings[Int(subsampling)].rawValue)
        guard Int(tjBufSize(Int32(rect.width), Int32(rect.height), kind)) <= capacity else { return nil }
        let source = (pixels + rect.y * stride + rect.x * 4).assumingMemoryBound(to: UInt8.self)
        var target: UnsafeMutablePointer<UInt8>? = room
        var count = UInt(capacity)
        let code = tjCompress2(
            handle, source, Int32(rect.width), Int32(stride), Int32(rect.height), Int32(TJPF_BGRX.rawValue), &target,
            &count, kind, quality, TJFLAG_NOREALLOC)
        guard code == 0, target == room, count > 0, count <= capacity else { return nil }
        return UnsafeBufferPointer(start: room, count: Int(count))
    }
}
