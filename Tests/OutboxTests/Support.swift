import Foundation
import Lane
import Loop
import Testing

@testable import Outbox

/// A fresh folder, removed with the value.
final class Folder: Sendable {
    let path: String
    init() throws {
        var template = Array("/tmp/lanewatch-outbox-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }

    var state: String { path + "/state" }
    var database: String { state + "/outbox.sqlite" }

    /// Writes over every third page of the database but the first, as a disk that goes bad would.
    func destroyPages() throws {
        let file = try #require(FileHandle(forUpdatingAtPath: database))
        let size = try file.seekToEnd()
        for page in stride(from: UInt64(2), to: size / 4096, by: 3) {
            try file.seek(toOffset: page * 4096)
            try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        }
        try file.close()
    }
    func open(
        maximumBytes: Int64 = 512 << 20, whenFull: WhenFull = .drop, maximumAge: Int64? = nil,
        values: [String: TopicValue] = [:], inFlight: Int64 = 0, maximumLogBytes: Int64 = 64 << 20
    ) throws -> Outbox {
        try Outbox(
            OutboxConfiguration(
                folder: state, maximumBytes: maximumBytes, whenFull: whenFull, maximumAge: maximumAge, values: values,
                inFlight: inFlight, maximumLogBytes: maximumLogBytes))
    }
}

func event(
    _ topic: String, _ text: String = "{}", id: LaneUUID? = nil, change: Int64? = nil, chained: Bool = false,
    key: String = "0042/07"
) -> OutboxEvent {
    OutboxEvent(
        CloudEvent(
            topic: topic, key: key, id: id,
            headers: [
                .init("content-type", "application/json"), .init("ce_specversion", "1.0"),
                .init("ce_source", "/stores/0042/lanes/07"), .init("ce_type", "sco.test.v1"),
            ], value: Array(text.utf8), isChained: chained),
        change: change)
}

func signal(_ number: Int64, _ type: String = "item.scanned") throws -> StampedSignal {
    let type = try #require(SignalType(type) ?? SignalType(SignalCatalogue.shipped.entries[0].name))
    return StampedSignal(
        number: number, at: LaneInstant(milliseconds: 1_700_000_000_000 + number),
        wall: WallInstant(milliseconds: 1_700_000_000_500 + number),
        signal: Signal(type, [], feed: .pos, traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"))
}

/// The journal's line of `signal`.
func line(of signal: StampedSignal) -> [UInt8] {
    var json = JSONWriter()
    SignalLine.write(signal, lane: nil, journal: true, into: &json)
    return json.bytes
}

extension Outbox {
    /// Everything that waits on `topic`, read in small leases.
    func all(_ topic: String, limit: Int = 7) async throws -> [Parcel] {
        var found: [Parcel] = []
        while true {
            let next = try peek(topic: topic, after: found.last?.position ?? .start, limit: limit)
            if next.isEmpty { return found }
            found += next
        }
    }
}
