import CLinux
import Foundation
import Glibc
import Lane
import Loop
import Synchronization
import Testing

@testable import Feeds

/// A folder that goes with the test.
final class RecordingFolder: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/lanewatch-recording-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("mkdtemp") }
        path = template.withUnsafeBufferPointer {
            String(decoding: $0.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path + "/" + name))
        return path + "/" + name
    }

    func text(_ name: String) -> String { (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)) ?? "" }
}

/// What a recorder or a replay had to tell, and a wait for its end.
@LoopActor final class Told {
    private(set) var notices: [Notice] = []
    private(set) var hasEnded = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    nonisolated init() {}

    func note(_ notice: Notice) { notices.append(notice) }

    func end() {
        hasEnded = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    func untilEnd() async {
        if !hasEnded { await withCheckedContinuation { waiting.append($0) } }
    }
}

@Suite struct RecorderTests {
    @LoopActor private static func record(_ numbers: Range<Int64>, _ recorder: Recorder) {
        for number in numbers {
            guard let type = SignalType("item.accepted"), let sku = AttributeName("sku"),
                let price = AttributeName("price")
            else { return }
            let signal = Signal(
                type, [Attribute(sku, .text("é\"\(number)")), Attribute(price, .int(-number))], feed: .pos)
            recorder.record(
                StampedSignal(
                    number: number, at: LaneInstant(milliseconds: 1000 + number), wall: WallInstant(milliseconds: 5),
                    signal: signal))
        }
    }

    private func expected(_ number: Int) -> String {
        #"{"seq":\#(number),"t":\#(1000 + number),"lane":"07","type":"item.accepted","sku":"é\"\#(number)","price":\#(-number)}"#
    }

    @Test func signalsAreLines() async throws {
        let folder = try RecordingFolder()
        let told = Told()
        var options = Recorder.Options(path: folder.path + "/lane.jsonl")
        options.lane = "07"
        let recorder = Recorder(options) { told.note($0) }
        await Self.record(1..<501, recorder)
        await recorder.stop()
        await Self.record(501..<502, recorder)
        #expect(folder.text("lane.jsonl") == (1...500).map { expected($0) + "\n" }.joined())
        let counts = await recorder.counts
        #expect(counts.isBalanced && counts.out == 500 && counts.held == 0)
        #expect(await told.notices == [])
    }

    @Test func linesReachTheFileWithinSecondsByThemselves() async throws {
        let folder = try RecordingFolder()
        let recorder = Recorder(Recorder.Options(path: folder.path + "/lane.jsonl")) { _ in }
        await Self.record(1..<2, recorder)
        for _ in 0..<2000 where folder.text("lane.jsonl").isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        #expect(folder.text("lane.jsonl").hasPrefix("{\"seq\":1,"))
        await recorder.stop()
    }

    @Test(arguments: [0, 1, 3]) func filesRotateBySizeAndOldOnesGo(_ keep: Int) async throws {
        let folder = try RecordingFolder()
        var options = Recorder.Options(path: folder.path + "/lane.jsonl")
        options.lane = "07"
        options.limitBytes = 5000
        options.keep = keep
        let recorder = Recorder(options) { _ in }
        await Self.record(1..<301, recorder)
        await recorder.stop()
        let names = ["lane.jsonl"] + (1...9).map { "lane.jsonl.\($0)" }
        let texts = names.map { folder.text($0) }
        #expect(texts.filter { !$0.isEmpty }.count == keep + 1)
        #expect(texts.allSatisfy { $0.utf8.count <= 5000 })
        #expect(texts.dropFirst(keep + 1).allSatisfy { $0.isEmpty })
        // Together they are the newest lines, without a hole.
        let lines = texts.reversed().joined().split(separator: "\n").map(String.init)
        #expect(lines == (301 - lines.count...300).map { expected($0) })
        #expect(await recorder.counts.out == 300)
    }

    @Test func halfALineOfACrashIsCutAndRecordingGoesOn() async throws {
        let folder = try RecordingFolder()
        _ = try folder.file("lane.jsonl", "{\"seq\":1}\n{\"seq\":2,\"ty")
        var options = Recorder.Options(path: folder.path + "/lane.jsonl")
        options.lane = "07"
        let recorder = Recorder(options) { _ in }
        await Self.record(2..<3, recorder)
        await recorder.stop()
        #expect(folder.text("lane.jsonl") == "{\"seq\":1}\n" + expected(2) + "\n")
    }

    @Test func aDiskThatFailsIsToldOnceCountedAndUsedAgain() async throws {
        let folder = try RecordingFolder()
        let told = Told()
        var options = Recorder.Options(path: folder.path + "/later/lane.jsonl")
        options.bufferBytes = 4000
        options.lane = "07"
        let recorder = Recorder(options) { told.note($0) }
        for round in 0..<5 {
            await Self.record(Int64(round * 10 + 1)..<Int64(round * 10 + 11), recorder)
            for _ in 0..<2000 where await recorder.counts.droppedTotal < round * 10 + 5 {
                try await Task.sleep(for: .milliseconds(2))
            }
        }
        let notices = await told.notices
        #expect(notices.count == 1)
        #expect(notices.first?.fields.first?.value == "the recording \(options.path): open: No such file or directory")
        try FileManager.default.createDirectory(atPath: folder.path + "/later", withIntermediateDirectories: true)
        await Self.record(100..<110, recorder)
        await recorder.stop()
        let counts = await recorder.counts
        #expect(counts.isBalanced && counts.held == 0 && counts.out >= 10)
        #expect(folder.text("later/lane.jsonl").hasSuffix(expected(109) + "\n"))
        #expect(folder.text("later/lane.jsonl").split(separator: "\n").count == counts.out)
        #expect(await told.notices.map(\.message).last == "signals are recorded again")
    }

    @Test func aBurstThatTheDiskCannotTakeIsBoundedAndCounted() async throws {
        let folder = try RecordingFolder()
        let told = Told()
        var options = Recorder.Options(path: folder.path + "/lane.jsonl")
        options.bufferBytes = 10_000
        let recorder = Recorder(options) { told.note($0) }
        // In one go: nothing that was written is known of before the end.
        await Self.record(1..<10_001, recorder)
        await recorder.stop()
        let counts = await recorder.counts
        #expect(counts.isBalanced && counts.held == 0 && counts.in == 10_000)
        #expect(counts.dropped["slow_disk"] ?? 0 > 9000)
        #expect(folder.text("lane.jsonl").split(separator: "\n").count == counts.out)
    }

    @Test func oneFileHasOneRecorder() async throws {
        let folder = try RecordingFolder()
        let told = Told()
        let first = Recorder(Recorder.Options(path: folder.path + "/lane.jsonl")) { _ in }
        let second = Recorder(Recorder.Options(path: folder.path + "/lane.jsonl")) { told.note($0) }
        await Self.record(1..<2, first)
        for _ in 0..<2000 where folder.text("lane.jsonl").isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        await Self.record(2..<3, second)
        await second.stop()
        #expect(await told.notices.first?.fields.first?.value.hasPrefix("another recorder writes to") == true)
        #expect(await second.counts.dropped == ["disk": 1])
        await first.stop()
    }

    /// A disk of 64 KiB, where root may mount one.
    @Test func aFullDiskLeavesWholeLines() async throws {
        let folder = try RecordingFolder()
        guard mount("none", folder.path, "tmpfs", 0, "size=64k") == 0 else { return }
        defer { umount2(folder.path, 2) }
        let told = Told()
        var options = Recorder.Options(path: folder.path + "/lane.jsonl")
        options.lane = "07"
        let recorder = Recorder(options) { told.note($0) }
        for start in stride(from: Int64(1), to: 3000, by: 100) {
            await Self.record(start..<start + 100, recorder)
        }
        await recorder.stop()
        let counts = await recorder.counts
        #expect(counts.isBalanced && counts.dropped["disk"] ?? 0 > 0)
        let text = folder.text("lane.jsonl")
        #expect(text.hasSuffix("\n") || text.isEmpty)
        #expect(text.split(separator: "\n").count == counts.out)
        #expect(await told.notices.first?.fields.first?.value.hasSuffix("write: No space left on device") == true)
    }
}
