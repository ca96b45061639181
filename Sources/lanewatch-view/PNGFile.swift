import CPNG
import Glibc
import Screen

/// A picture as a PNG file. Source: libpng's manual, its simplified interface.
enum PNGFile {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    /// Writes the frame as it is now.
    static func write(_ frame: MaskedFrame, to path: String) throws(Fault) {
        var bytes = [UInt8](repeating: 0, count: frame.stride * frame.size.height)
        bytes.withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { frame.copy([frame.size.bounds], to: base) }
        }
        var image = png_image()
        image.version = png_uint_32(PNG_IMAGE_VERSION)
        image.width = png_uint_32(frame.size.width)
        image.height = png_uint_32(frame.size.height)
        image.format = png_uint_32(PNG_FORMAT_FLAG_COLOR)
        let pixels = colours(bytes)
        guard png_image_write_to_file(&image, path, 0, pixels, 0, nil) != 0 else {
            let reason = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            throw Fault(description: "\(path) cannot be written: \(reason)")
        }
    }

    /// Red, green, blue, of pixels in memory order blue, green, red, unused.
    private static func colours(_ bytes: [UInt8]) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: bytes.count / 4 * 3) { pixels, count in
            for place in 0..<bytes.count / 4 {
                for part in 0..<3 { pixels[place * 3 + part] = bytes[place * 4 + 2 - part] }
            }
            count = bytes.count / 4 * 3
        }
    }
}
