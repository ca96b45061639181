import CVNCServer
import Screen

/// Updates with pictures in them are put together here, out of JPEGs that all attendants with the same wishes share, and, for the rest,
/// what the encoder makes.
extension Attendant {
    /// What this viewer asks of JPEGs.
    struct PictureWish: Hashable {
        var quality: Int32
        var subsampling: Int32
    }

    /// nil where the encoder makes the whole update: without JPEG, or where it has more to tell than pixels. That it tells of
    /// once, and the next update is ours.
    func pictureWish(_ client: Client) -> PictureWish? {
        let wish = PictureWish(
            quality: client.pointee.turboQualityLevel, subsampling: client.pointee.turboSubsampLevel)
        guard usesJPEG(client), (1...100).contains(wish.quality),
            JPEGCompressor.subsamplings.indices.contains(Int(wish.subsampling)), isEmpty(client.pointee.copyRegion),
            client.pointee.enableCursorShapeUpdates == 0 || client.pointee.cursorWasChanged == 0,
            client.pointee.scaledScreen == client.pointee.screen, client.pointee.enableSupportedMessages == 0,
            client.pointee.enableSupportedEncodings == 0, client.pointee.enableServerIdentity == 0
        else { return nil }
        return wish
    }

    /// Sends one update: what the encoder makes of `strips.rest`, then the pictures, each as soon as there is a JPEG of it.
    /// - Parameters:
    ///   - pixels: the screen's frame buffer, with all of `strips` in it, as `lastCopied` of `frame` has them.
    /// - Returns: whether all was made. A gate that is gone is no fault: the client is closed then.
    func send(
        _ strips: PictureStrips, _ wish: PictureWish, of frame: MaskedFrame, _ pixels: UnsafeRawPointer,
        to client: Client
    ) -> Bool {
        // As the library's own way does. What was asked for is answered by this, all of it.
        for rect in strips.rest + strips.pictures { subtract(rect, from: client.pointee.modifiedRegion) }
        sraRgnMakeEmpty(client.pointee.requestedRegion)
        begin(strips, client)
        for rect in strips.rest where client.pointee.sock >= 0 {
            let (x, y, width, height) = (Int32(rect.x), Int32(rect.y), Int32(rect.width), Int32(rect.height))
            guard rfbSendRectEncodingTight(client, x, y, width, height) != 0 else { return client.pointee.sock < 0 }
        }
        if client.pointee.sock >= 0 { _ = rfbSendUpdateBuf(client) }
        guard sendPictures(strips.pictures, wish, of: frame, pixels, to: client) else { return false }
        let hasEnd = client.pointee.enableLastRectEncoding != 0
        if hasEnd { write(Self.header(of: .empty, RFBEncoding.lastRect), to: client) }
        return true
    }

    /// The update's head. How many rectangles there are the encoder says, which cuts as it likes; to one who understands the end of
    /// an update nothing is said.
    private func begin(_ strips: PictureStrips, _ client: Client) {
        var count = 0xFFFF
        if client.pointee.enableLastRectEncoding == 0 {
            count = strips.pictures.count
            for rect in strips.rest {
                let (x, y, width, height) = (Int32(rect.x), Int32(rect.y), Int32(rect.width), Int32(rect.height))
                count += Int(rfbNumCodedRectsTight(client, x, y, width, height))
            }
        }
        write([0, 0] + Self.two(count), to: client)
    }

    /// First what nobody else is at; then those that another has begun.
    private func sendPictures(
        _ pictures: [PixelRect], _ wish: PictureWish, of frame: MaskedFrame, _ pixels: UnsafeRawPointer,
        to client: Client
    ) -> Bool {
        var left = pictures
        for waiting in [false, true] {
            var busy: [PixelRect] = []
            for rect in left where client.pointee.sock >= 0 {
                let key = PictureShare.Key(
                    frame: frame.serial, generation: lastCopied, rect: rect, quality: wish.quality,
                    subsampling: wish.subsampling)
                let found = share.find(key, waiting: waiting, at: Self.milliseconds()) { compressor in
                    compressor.jpeg(
                        of: rect, in: pixels, stride: frame.stride, quality: wish.quality, subsampling: wish.subsampling
                    ).map { Self.message(rect, $0) }
                }
                switch found {
                case .busy: busy.append(rect)
                case .refused: return false
                case .made(let bytes): write(bytes, to: client)
                case .shared(let bytes):
                    tally.sharedPictures += 1
                    write(bytes, to: client)
                }
            }
            tally.pictures += left.count - busy.count
            left = busy
        }
        let now = Self.milliseconds()
        for rect in pictures { loss.lost(rect, at: now) }
        return true
    }

    /// A rectangle of Tight's kind "JPEG", as it goes to viewers. Source: the community's rfbproto, "Tight Encoding".
    static func message(_ rect: PixelRect, _ jpeg: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        header(of: rect, RFBEncoding.tight) + [0x90] + compact(jpeg.count) + jpeg
    }

    /// At most 2^22 - 1: seven bits, seven, and eight.
    private static func compact(_ count: Int) -> [UInt8] {
        let low = UInt8(count & 0x7F)
        let middle = UInt8(count >> 7 & 0x7F)
        return switch count {
        case ..<(1 << 7): [low]
        case ..<(1 << 14): [low | 0x80, middle]
        default: [low | 0x80, middle | 0x80, UInt8(truncatingIfNeeded: count >> 14)]
        }
    }

    private static func header(of rect: PixelRect, _ encoding: Int32) -> [UInt8] {
        two(rect.x) + two(rect.y) + two(rect.width) + two(rect.height)
            + withUnsafeBytes(of: encoding.bigEndian) { Array($0) }
    }

    private static func two(_ number: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
    }
}
