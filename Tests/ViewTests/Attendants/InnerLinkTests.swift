import CLinux
import Glibc
import Loop
import Testing

@testable import View

@Suite struct InnerLinkTests {
    /// The gate's link and the encoder's end.
    func pair(_ wake: @escaping @Sendable () -> Void = {}) throws -> (InnerLink, Int32) {
        var pair: [Int32] = [-1, -1]
        try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        return (try InnerLink(owning: Descriptor(owning: pair[0]), backlog: Backlog(wake: wake)), pair[1])
    }

    func read(_ link: InnerLink) throws -> [UInt8]? {
        var found: [UInt8] = []
        while true {
            var buffer = [UInt8](repeating: 0, count: 64)
            switch try buffer.withUnsafeMutableBytes({ try link.read(into: $0) }) {
            case .bytes(let count): found += buffer[..<count]
            case .nothing: return found
            case .ended: return found.isEmpty ? nil : found
            }
        }
    }

    @Test func theEncoderIsGreetedBeforeItIsThere() throws {
        let (link, inner) = try pair()
        defer { close(inner) }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = recv(inner, &buffer, 64, Int32(MSG_DONTWAIT))
        #expect(Array(buffer.prefix(max(0, count))) == Array("RFB 003.003\n".utf8) + [1])
        #expect(!link.wantsWritable)
    }

    @Test(arguments: [1, 5, 12, 16, 17, 30]) func itsGreetingIsSwallowedInAnyPieces(size: Int) throws {
        let (link, inner) = try pair()
        let said: [UInt8] = Array("RFB 003.008\n".utf8) + [0, 0, 0, 1] + Array("ServerInit and more".utf8)
        var found: [UInt8] = []
        for start in stride(from: 0, to: said.count, by: size) {
            let piece = Array(said[start..<min(said.count, start + size)])
            #expect(send(inner, piece, piece.count, 0) == piece.count)
            found += try read(link) ?? []
        }
        #expect(found == Array("ServerInit and more".utf8))
        close(inner)
        #expect(try read(link) == nil)
    }

    @Test func anotherGreetingIsRefused() throws {
        for said in [Array("RFB 003.008\n".utf8) + [0, 0, 0, 2], Array("HTTP/1.1 200 OK\n".utf8)] as [[UInt8]] {
            let (link, inner) = try pair()
            defer { close(inner) }
            #expect(send(inner, said, said.count, 0) == said.count)
            let error = #expect(throws: RFBRefusal.self) { try read(link) }
            #expect(error?.code == .greeting)
        }
    }

    @Test func whatTheEncoderDoesNotReadWaitsWithinALimit() throws {
        let (link, inner) = try pair()
        defer { close(inner) }
        let messages = [UInt8](repeating: 4, count: 8192)
        var sent = 0
        while link.send(messages) {
            sent += messages.count
            try #require(sent < 16 << 20, "it would wait without end")
        }
        #expect(link.wantsWritable)
        // Everything that was taken arrives, in order, once it is read.
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        var found = 0
        while true {
            let count = recv(inner, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count > 0 { found += count }
            if count <= 0, !link.wantsWritable { break }
            #expect(link.flush())
        }
        #expect(found == sent + InnerLink.greeting.count)
    }

    @Test func roomWakesOnlyWhoWaitsForIt() throws {
        let woken = Counter()
        let backlog = Backlog { woken.add() }
        #expect(backlog.hasRoom(besides: { 0 }))
        backlog.report(10)
        #expect(woken.value == 0)
        backlog.report(Backlog.limit)
        #expect(!backlog.hasRoom(besides: { 0 }))
        backlog.report(Backlog.limit + 1)
        #expect(woken.value == 0, "there is still no room")
        backlog.report(Backlog.limit - 1)
        #expect(woken.value == 1)
        backlog.report(0)
        #expect(woken.value == 1)
        #expect(!backlog.hasRoom(besides: { Backlog.limit }), "what is on its way counts too")
        backlog.report(0)
        #expect(woken.value == 2)
    }
}
