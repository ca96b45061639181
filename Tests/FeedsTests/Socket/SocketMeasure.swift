import Feeds
import Glibc
import Lane
import Loop
import Testing

/// Not a test: prints how many lines a second one loop thread takes. `LANEWATCH_MEASURE=1 swift test -c release
/// -Xswiftc -enable-testing --filter SocketMeasure`.
@Suite(.enabled(if: getenv("LANEWATCH_MEASURE") != nil), .serialized) struct SocketMeasure {
    @Test(arguments: [
        ("small", #"{"type":"heartbeat","cpu":5}"#),
        ("usual", #"{"type":"item.accepted","sku":"4006381333931","txn":"T1","price":1299,"category":"food"}"#),
        ("ack", #"{"type":"payment.started","pay":"P1","txn":"T1","amount":1299,"ack":true}"#),
        ("unknown type", #"{"type":"heartbeta"}"#),
        ("malformed", #"{"type":"heartbeat","cpu":}"#),
    ])
    func lines(_ name: String, _ line: String) async throws {
        let count = 400_000
        let bed = try await SocketBed { $0.linesPerSecond = 100_000_000 }
        let bytes = [UInt8]((0..<1000).flatMap { _ in Array((line + "\n").utf8) })
        let path = bed.path
        let start = Boottime.nanoseconds()
        let cpuBefore = await SocketBed.onLoop { Self.threadNanoseconds() }
        let writer = Task.detached {
            let peer = try RawPeer(path)
            let reader = Task.detached {
                var chunk = [UInt8](repeating: 0, count: 65_536)
                while recv(peer.descriptor, &chunk, chunk.count, 0) > 0 {}
            }
            for _ in 0..<count / 1000 { peer.send(bytes) }
            peer.endWriting()
            await reader.value
        }
        try await writer.value
        let seconds = Double(Boottime.nanoseconds() - start) / 1e9
        let cpu = Double(await SocketBed.onLoop { Self.threadNanoseconds() } - cpuBefore) / 1e9
        let counts = await bed.stop()
        #expect(counts.lines.in == count)
        print(
            "MEASURE \(name): \(Int(Double(count) / seconds)) lines/s, \(Int(Double(count) / cpu)) lines per CPU second"
        )
    }

    private static func threadNanoseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
        return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
    }
}
