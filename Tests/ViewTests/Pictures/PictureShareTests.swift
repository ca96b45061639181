import Glibc
import Loop
import Screen
import Synchronization
import Testing

@testable import View

@Suite(.serialized) struct PictureShareTests {
    private func key(_ number: Int, quality: Int32 = 79) -> PictureShare.Key {
        PictureShare.Key(
            frame: 1, generation: UInt64(number), rect: PixelRect(x: 0, y: 0, width: 64, height: 64), quality: quality,
            subsampling: 0)
    }

    @Test func eightWhoWantTheSameGetOneEncode() throws {
        let share = PictureShare()
        let (made, shared, ended) = (Counter(), Counter(), Counter())
        for _ in 0..<8 {
            startThread(name: "wants", stackBytes: 256 << 10) {
                let found = share.find(key(1), waiting: true, at: 1000) { _ in
                    usleep(50_000)
                    return [1, 2, 3]
                }
                switch found {
                case .made([1, 2, 3]): made.add()
                case .shared([1, 2, 3]): shared.add()
                default: break
                }
                ended.add()
            }
        }
        try awaitTrue(seconds: 10) { ended.value == 8 }
        #expect(made.value == 1)
        #expect(shared.value == 7)
    }

    @Test func whoDoesNotWaitLearnsThatAnotherIsAtIt() throws {
        let share = PictureShare()
        let (isBegun, mayEnd, ended) = (Counter(), Counter(), Counter())
        startThread(name: "makes", stackBytes: 256 << 10) {
            _ = share.find(key(1), waiting: false, at: 1000) { _ in
                isBegun.add()
                while mayEnd.value == 0 { usleep(1000) }
                return [7]
            }
            ended.add()
        }
        try awaitTrue(seconds: 10) { isBegun.value == 1 }
        guard case .busy = share.find(key(1), waiting: false, at: 1000, make: { _ in [8] }) else {
            Issue.record("it was made twice")
            return
        }
        // Another part, or the same of another quality, is nobody else's.
        guard case .made([8]) = share.find(key(1, quality: 80), waiting: false, at: 1000, make: { _ in [8] }),
            case .made([9]) = share.find(key(2), waiting: false, at: 1000, make: { _ in [9] })
        else {
            Issue.record("others were not made")
            return
        }
        mayEnd.add()
        try awaitTrue(seconds: 10) { ended.value == 1 }
        guard case .shared([7]) = share.find(key(1), waiting: false, at: 1000, make: { _ in [8] }) else {
            Issue.record("it was not kept")
            return
        }
    }

    /// Who waits for one that cannot make it, tries itself.
    @Test func aRefusalIsOnesOwn() throws {
        let share = PictureShare()
        let (isBegun, made, ended) = (Counter(), Counter(), Counter())
        startThread(name: "fails", stackBytes: 256 << 10) {
            let found = share.find(key(1), waiting: true, at: 1000) { _ in
                isBegun.add()
                usleep(50_000)
                return nil
            }
            if case .refused = found { ended.add() }
        }
        try awaitTrue(seconds: 10) { isBegun.value == 1 }
        startThread(name: "tries", stackBytes: 256 << 10) {
            if case .made([1]) = share.find(key(1), waiting: true, at: 1000, make: { _ in [1] }) { made.add() }
        }
        try awaitTrue(seconds: 10) { made.value == 1 && ended.value == 1 }
    }

    @Test func nothingIsKeptForLongOrWithoutBound() throws {
        let share = PictureShare()
        let large = [UInt8](repeating: 1, count: 300_000)
        for number in 0..<40 {
            _ = share.find(key(number), waiting: true, at: 1000) { _ in large }
            #expect(share.keptBytes <= PictureShare.mostBytes)
        }
        #expect(share.keptBytes > PictureShare.mostBytes / 2)
        // Of two that are asked for again, the older one is gone.
        guard case .made = share.find(key(0), waiting: true, at: 1000, make: { _ in large }),
            case .shared = share.find(key(39), waiting: true, at: 1000, make: { _ in large })
        else {
            Issue.record("the wrong ones are kept")
            return
        }
        share.trim(at: 1000 + PictureShare.kept)
        #expect(share.keptBytes > 0)
        share.trim(at: 1001 + PictureShare.kept)
        #expect(share.keptBytes == 0)
    }

    /// JPEGs of parts with odd edges, of all kinds, by a compressor that is used again and again.
    @Test func theCompressorTakesAllThatIsCut() throws {
        let compressor = try #require(JPEGCompressor())
        let size = PixelSize(width: 2048, height: 700)
        var lot = SplitMix(seed: 3)
        // Noise, which no other picture of the size beats.
        let pixels = (0..<size.width * size.height).map { _ in UInt32.random(in: 0...0xff_ffff, using: &lot) }
        try pixels.withUnsafeBytes { bytes in
            let base = try #require(bytes.baseAddress)
            for (width, height) in [(2048, 32), (64, 700), (65, 699), (641, 97), (1, 1), (100, 640), (255, 257)] {
                for subsampling in JPEGCompressor.subsamplings.indices {
                    for quality: Int32 in [1, 79, 100] {
                        let rect = PixelRect(x: 0, y: 0, width: width, height: height)
                        let jpeg = try #require(
                            compressor.jpeg(
                                of: rect, in: base, stride: size.width * 4, quality: quality,
                                subsampling: Int32(subsampling)), "\(rect) \(subsampling) \(quality)")
                        #expect(Array(jpeg.prefix(2)) == [0xFF, 0xD8])
                        #expect(Array(jpeg.suffix(2)) == [0xFF, 0xD9])
                    }
                }
            }
            let rect = PixelRect(x: 0, y: 0, width: 64, height: 64)
            for (quality, subsampling): (Int32, Int32) in [(0, 0), (101, 0), (50, 4), (50, -1)] {
                #expect(
                    compressor.jpeg(of: rect, in: base, stride: 8192, quality: quality, subsampling: subsampling)
                        == nil)
            }
        }
    }

    /// The head of Tight's JPEG, with each length of its length.
    @Test(
        arguments: [
            (1, [1]), (127, [127]), (128, [0x80, 1]), (16_383, [0xFF, 0x7F]), (16_384, [0x80, 0x80, 1]),
            (1_000_000, [0xC0, 0x84, 0x3D]), (4_194_303, [0xFF, 0xFF, 0xFF]),
        ] as [(Int, [UInt8])])
    func aRectangleSaysHowLongItIs(count: Int, length: [UInt8]) {
        let jpeg = [UInt8](repeating: 9, count: count)
        let message = jpeg.withUnsafeBufferPointer {
            Attendant.message(PixelRect(x: 1, y: 258, width: 3, height: 4), $0)
        }
        #expect(Array(message.prefix(13)) == [0, 1, 1, 2, 0, 3, 0, 4, 0, 0, 0, 7, 0x90])
        #expect(Array(message[13..<13 + length.count]) == length)
        #expect(message.count == 13 + length.count + count)
    }
}
