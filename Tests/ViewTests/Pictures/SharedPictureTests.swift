import Glibc
import Loop
import RFBClient
import Screen
import Testing

@testable import View

/// One encode for attendants with equal wishes, seen by their viewers.
@Suite(.serialized) struct SharedPictureTests {
    private static let video = PixelRect(x: 16, y: 24, width: 480, height: 270)

    private func quality(_ level: Int) -> Int { -32 + level }

    /// Draws pictures that nobody has seen until all viewers have the last.
    private func play(_ bed: ViewBed, _ clients: [RFBClient], rounds: ClosedRange<Int>) throws {
        for round in rounds {
            MendTests.drawPhoto(bed.screen, Self.video, seed: round)
            // Behind it: who has this has the picture.
            let colour = UInt32(round) * 0x10_2030
            bed.screen.fill(MendTests.mark, colour)
            for client in clients { try bed.hear(client, until: colour) }
        }
    }

    private func sums(_ bed: ViewBed) -> (pictures: Int, shared: Int) {
        bed.attendants.counts.values.reduce((0, 0)) { ($0.0 + $1.pictures, $0.1 + $1.sharedPictures) }
    }

    @Test func fourWithEqualWishesGetOneEncode() throws {
        let bed = try ViewBed(size: PixelSize(width: 512, height: 320))
        // Formats of pixels, the end of an update and continuous ones are no matter.
        let encodings = [RFBClient.tight, quality(6)]
        let clients = try [
            bed.join(encodings), bed.join(encodings + [RFBClient.lastRect]), bed.join(encodings, format: .rgb565),
            bed.join(encodings + [RFBClient.lastRect], format: .rgbx888Big),
        ].map(\.client)
        try play(bed, clients, rounds: 1...10)
        let (pictures, shared) = sums(bed)
        #expect(pictures >= 4 * 10)
        // A thread that came late by a tenth of a second makes it again.
        #expect(shared * 2 > pictures, "\(shared) of \(pictures)")
        for client in clients {
            #expect(client.jpegs >= 10)
            try MendTests.hearUntilExact(bed, client, seconds: 10)
        }
        try bed.stop()
    }

    @Test func otherWishesAreNotTheSame() throws {
        let bed = try ViewBed(size: PixelSize(width: 512, height: 320))
        let clients = try [3, 6, 9].map { try bed.join([RFBClient.tight, quality($0)]).client }
        try play(bed, clients, rounds: 1...3)
        let (pictures, shared) = sums(bed)
        #expect(pictures >= 3 * 3)
        #expect(shared == 0)
        for client in clients { #expect(bed.wrongPixels(client) == 0) }
        try bed.stop()
    }

    /// While one viewer reads nothing the others have their pictures, and it has the last one in the end.
    @Test func aStuckViewerHoldsNobodyUp() throws {
        let bed = try ViewBed(size: PixelSize(width: 512, height: 320))
        let stuck = try bed.join([RFBClient.tight, quality(6), RFBClient.continuousUpdates, RFBClient.fence]).client
        try stuck.setContinuous(true)
        let good = try bed.join([RFBClient.tight, quality(6)]).client
        for round in 1...40 {
            MendTests.drawPhoto(bed.screen, Self.video, seed: round)
            bed.screen.fill(MendTests.mark, UInt32(round) * 0x1_0203)
            try bed.hear(good, until: UInt32(round) * 0x1_0203)
        }
        try bed.hear(stuck, until: 40 * 0x1_0203)
        for client in [stuck, good] {
            try MendTests.hearUntilExact(bed, client, seconds: 10)
        }
        try bed.stop()
    }

    /// Nothing is kept of a picture that rests, and nothing is left of one that went.
    @Test func whatIsKeptIsGivenBack() throws {
        let bed = try ViewBed(size: PixelSize(width: 512, height: 320))
        let client = try bed.join([RFBClient.tight, quality(6)]).client
        // On a machine that sleeps for a moment it is given back before it is looked at.
        var round = 0
        try awaitTrue(seconds: 20, "something that is kept") {
            round += 1
            try? play(bed, [client], rounds: round...round)
            return bed.attendants.keptPictureBytes > 0
        }
        try awaitTrue(seconds: 10) {
            _ = try? client.hear(milliseconds: 50)
            return bed.attendants.keptPictureBytes == 0
        }
        try play(bed, [client], rounds: round + 1...round + 2)
        try bed.stop()
        #expect(bed.attendants.keptPictureBytes == 0)
    }
}
