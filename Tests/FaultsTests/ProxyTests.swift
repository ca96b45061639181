import FaultParts
import Foundation
import Glibc
import Testing

/// The path through the proxy, with a broker of a few lines behind it: answers each request with its correlation id.
@Suite(.serialized, .timeLimit(.minutes(1))) struct ProxyTests {
    @Test func framesPassBothWays() throws {
        let (broker, proxy) = try Self.path()
        defer { proxy.end(); broker.end() }
        let client = try Client(proxy.ports[0])
        for id in 1...5 { #expect(client.exchange(key: 3, id: Int32(id)) == Int32(id)) }
        #expect(proxy.counts.connections == 1 && proxy.counts.swallowed == 0)
    }

    @Test func answersToProduceAloneAreSwallowed() throws {
        let (broker, proxy) = try Self.path()
        defer { proxy.end(); broker.end() }
        let client = try Client(proxy.ports[0])
        #expect(client.exchange(key: 0, id: 1) == 1)
        proxy.set(.swallowing)
        client.send(key: 0, id: 2)
        client.send(key: 3, id: 3)
        // The broker had the Produce; only what came behind it is answered.
        #expect(client.receive() == 3)
        #expect(broker.requests == 3 && proxy.counts.swallowed == 1)
        proxy.set(.open)
        #expect(client.exchange(key: 0, id: 4) == 4)
    }

    @Test func aCutPathClosesWhatIsThereAndWhatComes() throws {
        let (broker, proxy) = try Self.path()
        defer { proxy.end(); broker.end() }
        let client = try Client(proxy.ports[0])
        #expect(client.exchange(key: 3, id: 1) == 1)
        proxy.set(.refused)
        #expect(client.receive() == nil)
        #expect(try Client(proxy.ports[0]).exchange(key: 3, id: 2) == nil)
        proxy.set(.open)
        #expect(try Client(proxy.ports[0]).exchange(key: 3, id: 3) == 3)
        #expect(broker.requests == 2)
    }

    @Test func aSilentPathHoldsAndThenDelivers() throws {
        let (broker, proxy) = try Self.path()
        defer { proxy.end(); broker.end() }
        let client = try Client(proxy.ports[0])
        #expect(client.exchange(key: 3, id: 1) == 1)
        proxy.set(.silent)
        client.send(key: 3, id: 2)
        #expect(client.receive(milliseconds: 200) == nil)
        proxy.set(.open)
        #expect(client.receive() == 2)
    }

    @Test func aPortNobodyListensOnIsClosed() throws {
        let proxy = try Proxy(count: 1)
        defer { proxy.end() }
        proxy.lead(to: [try Page.freePort()])
        #expect(try Client(proxy.ports[0]).exchange(key: 3, id: 1) == nil)
    }

    private static func path() throws -> (Broker, Proxy) {
        let broker = try Broker()
        let proxy = try Proxy(count: 1)
        proxy.lead(to: [broker.port])
        return (broker, proxy)
    }
}

private func address(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port).bigEndian)
    address.sin_addr.s_addr = in_addr_t(UInt32(0x7F00_0001).bigEndian)
    return address
}

private func bytes(of number: Int32) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }

private func whole(_ raw: Int32, _ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: count)
    while bytes.count < count {
        let got = recv(raw, &chunk, count - bytes.count, 0)
        guard got > 0 else { return nil }
        bytes += chunk[..<got]
    }
    return bytes
}

private func number(_ bytes: some Collection<UInt8>) -> Int32 {
    Int32(bitPattern: bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
}

private final class Client {
    private let raw: Int32

    init(_ port: Int) throws {
        raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = address(port)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw Fault("connect") }
    }

    deinit { close(raw) }

    func send(key: UInt8, id: Int32) {
        let request = bytes(of: 12) + [0, key, 0, 0] + bytes(of: id) + [1, 2, 3, 4]
        _ = Glibc.send(raw, request, request.count, Int32(MSG_NOSIGNAL))
    }

    func receive(milliseconds: Int = 10_000) -> Int32? {
        var entry = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, Int32(milliseconds)) > 0, let answer = whole(raw, 12) else { return nil }
        return number(answer[4..<8])
    }

    func exchange(key: UInt8, id: Int32) -> Int32? {
        send(key: key, id: id)
        return receive()
    }
}

private final class Broker: @unchecked Sendable {
    // @unchecked: `count` is touched under the lock alone.
    let port: Int
    private let raw: Int32
    private let lock = NSLock()
    private var count = 0

    var requests: Int { lock.withLock { count } }

    init() throws {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var own = address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isGood = withUnsafeMutablePointer(to: &own) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(raw, $0, length) == 0 && listen(raw, 8) == 0 && getsockname(raw, $0, &length) == 0
            }
        }
        guard isGood else { throw Fault("no port") }
        self.raw = raw
        port = Int(UInt16(bigEndian: own.sin_port))
        Thread { [self] in
            while case let client = accept(raw, nil, nil), client >= 0 {
                Thread { [self] in serve(client) }.start()
            }
            close(raw)
        }.start()
    }

    private func serve(_ client: Int32) {
        while let size = whole(client, 4), let request = whole(client, Int(number(size))) {
            lock.withLock { count += 1 }
            let answer = bytes(of: 8) + request[4..<8] + [9, 9, 9, 9]
            guard send(client, answer, answer.count, Int32(MSG_NOSIGNAL)) == answer.count else { break }
        }
        close(client)
    }

    func end() { _ = shutdown(raw, Int32(SHUT_RDWR)) }
}
