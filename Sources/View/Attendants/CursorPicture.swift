import CVNCServer
import Glibc
import Screen

/// One attendant's own copy of the mouse pointer's picture, in the form that libvncserver sends. Lives on the attendant's thread.
struct CursorPicture: ~Copyable {
    /// The encoder's buffer for one message holds a picture of this size in four bytes a pixel; of a larger one the part around its
    /// point is shown.
    static let largest = 80

    let pointer: UnsafeMutablePointer<rfbCursor>
    private let colours: UnsafeMutablePointer<UInt8>
    private let mask: UnsafeMutablePointer<UInt8>

    init?(_ shape: CursorShape) {
        guard shape.size.width > 0, shape.size.height > 0,
            shape.pixels.count == shape.size.width * shape.size.height * 4
        else { return nil }
        let part = Self.part(of: shape)
        let maskStride = (part.width + 7) / 8
        colours = .allocate(capacity: part.width * part.height * 4)
        mask = .allocate(capacity: maskStride * part.height)
        mask.initialize(repeating: 0, count: maskStride * part.height)
        for y in 0..<part.height {
            for x in 0..<part.width {
                let from = ((part.y + y) * shape.size.width + part.x + x) * 4
                let to = (y * part.width + x) * 4
                let alpha = Int(shape.pixels[from + 3])
                for colour in 0..<3 {
                    // RFB knows a pixel that is there or not: what is half there loses its shade, not its colour.
                    let value = alpha == 0 ? 0 : min(255, Int(shape.pixels[from + colour]) * 255 / alpha)
                    (colours + to + colour).initialize(to: UInt8(value))
                }
                (colours + to + 3).initialize(to: 0)
                if alpha >= 128 { mask[y * maskStride + x / 8] |= 0x80 >> UInt8(x % 8) }
            }
        }
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: rfbCursor())
        pointer.pointee.width = UInt16(part.width)
        pointer.pointee.height = UInt16(part.height)
        pointer.pointee.xhot = UInt16(min(max(0, shape.hotX - part.x), part.width - 1))
        pointer.pointee.yhot = UInt16(min(max(0, shape.hotY - part.y), part.height - 1))
        pointer.pointee.richSource = colours
        pointer.pointee.mask = mask
    }

    deinit {
        pointer.deallocate()
        colours.deallocate()
        mask.deallocate()
    }

    private static func part(of shape: CursorShape) -> PixelRect {
        let (width, height) = (min(shape.size.width, largest), min(shape.size.height, largest))
        let x = min(max(0, shape.hotX - width / 2), shape.size.width - width)
        let y = min(max(0, shape.hotY - height / 2), shape.size.height - height)
        return PixelRect(x: x, y: y, width: width, height: height)
    }
}
