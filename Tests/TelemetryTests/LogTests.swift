import CLinux
import Foundation
import Glibc
import Lane
import Loop
import Synchronization
import Testing

@testable import Telemetry

/// Keeps what is written; may be stopped in the middle of a record.
final class KeptRecords: LogSink {
    private let kept = Mutex<[LogRecord]>([])
    let isHeld = Atomic<Bool>(false)

    var records: [LogRecord] { kept.withLock { $0 } }

    func write(_ record: LogRecord) {
        while isHeld.load(ordering: .acquiring) { usleep(200) }
        kept.withLock { $0.append(record) }
    }
}

@Suite struct LogTests {
    private let moment = WallInstant(milliseconds: 1_795_248_843_120)

    private func record(
        _ message: String = "peer refused", _ fields: [LogRecord.Field] = [], level: LogRecord.Level = .warning
    ) -> LogRecord {
        LogRecord(at: moment, level: level, message: message, fields: fields)
    }

    private func line(_ record: LogRecord, _ format: LogFormat) -> String {
        String(decoding: StreamSink.line(record, format), as: UTF8.self)
    }

    @Test func recordsComeInOrderWithTheirFieldsAndTheContext() throws {
        let kept = KeptRecords()
        let moment = moment
        let log = Log(level: .info, sink: kept, context: [.lane: "07"], wall: { moment })
        log.debug("not this", [.count: 1])
        for number in 0..<100 { log.info("counted", [.count: LogValue(number), .topic: "t\(number)"]) }
        log.note(Notice(.error, "from a module", [.init("device", "scanner"), .init("odd key!", "x")]))
        log.note(Notice(.debug, "nor this"))
        log.level = .critical
        log.error("nor that")
        log.critical("last")
        #expect(log.flush(milliseconds: 10_000))
        let records = kept.records
        try #require(records.count == 102)
        let lane = LogRecord.Field("lane.id", "07")
        #expect(
            records.prefix(100).map(\.fields)
                == (0..<100).map { [.init("count", LogValue($0)), .init("topic", "t\($0)"), lane] })
        #expect(records[100].fields == [.init("device", "scanner"), .init("oddkey", "x"), lane])
        #expect(records[100].level == .error && records[101].message == "last")
        #expect(log.counts.written == [.info: 100, .error: 1, .critical: 1])
        #expect(log.counts.dropped == 0)
    }

    @Test func aLogThatHangsLosesRecordsAndSaysHowMany() {
        let kept = KeptRecords()
        kept.isHeld.store(true, ordering: .releasing)
        let log = Log(sink: kept)
        let start = Boottime.milliseconds()
        for number in 0..<10_000 { log.info("flood", [.count: LogValue(number)]) }
        #expect(Boottime.milliseconds() - start < 5000)
        #expect(log.flush(milliseconds: 1) == false)
        kept.isHeld.store(false, ordering: .releasing)
        #expect(log.flush(milliseconds: 10_000))
        let records = kept.records
        let counts = log.counts
        #expect(counts.dropped > 8000)
        #expect(counts.dropped + (counts.written[.info] ?? 0) == 10_000)
        let told = records.filter { $0.message == "log records were dropped" }.compactMap { record -> Int64? in
            if case .int(let count) = record.fields.first?.value { count } else { nil }
        }
        #expect(told.reduce(0, +) == Int64(counts.dropped))
        #expect(records.count == 10_000 - counts.dropped + told.count)
    }

    @Test func cardDataNeverReachesASink() {
        let kept = KeptRecords()
        let log = Log(sink: kept, context: [.user: "4111111111111111"])
        log.info(
            "x",
            [
                .reason: "card 4111 1111 1111 1111 declined", .count: 4_111_111_111_111_111,
                .line: ";4111111111111111=2512?",
            ])
        log.note(Notice(.info, "4111111111111111", [.init("4111111111111111", "%B4111111111111111^A^2512?")]))
        // A number that the cut at 1024 bytes would go through.
        log.info("y", [.reason: "\(String(repeating: "a ", count: 508))4111111111111111"])
        #expect(log.flush(milliseconds: 10_000))
        for record in kept.records {
            for format in [LogFormat.json, .text(colour: true), .text(colour: false)] {
                #expect(!line(record, format).contains("411111"), "\(line(record, format))")
            }
            for field in JournalSink.entry(record) {
                #expect(!String(decoding: field, as: UTF8.self).contains("41111"))
            }
        }
        #expect(kept.records.count == 3)
    }

    @Test func textIsForPeople() {
        let fields: [LogRecord.Field] = [
            .init("uid", 1000), .init("reason", "two words"), .init("path", ""),
            .init("error", "a\"b\\c\nd\u{1B}[31m\u{9B}x\u{202E}é"),
        ]
        #expect(
            line(record("peer refused", fields), .text(colour: false))
                == "2026-11-21T08:14:03.120Z warning  peer refused  uid=1000 reason=\"two words\" path=\"\" "
                + "error=\"a\\\"b\\\\c\\nd\\u{1b}[31m\\u{9b}x\\u{202e}é\"")
        let coloured = line(record(level: .error), .text(colour: true))
        #expect(coloured.contains("\u{1B}[31merror   \u{1B}[0m peer refused"))
        #expect(line(record("a\nb"), .text(colour: false)).hasSuffix("a\\nb"))
    }

    @Test func jsonIsOneObjectALine() throws {
        let text = line(record("x", [.init("count", 5), .init("rule.id", "a\nb")]), .json)
        #expect(
            text == #"{"time":"2026-11-21T08:14:03.120Z","level":"warning","message":"x","count":5,"rule.id":"a\nb"}"#)
        #expect(try JSONValue(parsing: text)["rule.id"]?.text == "a\nb")
    }

    @Test func theJournalGetsEveryFieldByItself() {
        let entry = JournalSink.entry(record("rule fired", [.init("rule.id", "p1"), .init("count", 3)]))
        #expect(
            entry.map { String(decoding: $0, as: UTF8.self) } == [
                "MESSAGE=rule fired rule.id=p1 count=3", "PRIORITY=4", "SYSLOG_IDENTIFIER=lanewatch",
                "LANEWATCH_MESSAGE=rule fired", "LANEWATCH_RULE_ID=p1", "LANEWATCH_COUNT=3",
            ])
    }

    /// Where no journald runs and root may make its socket, a journal of our own stands in for it.
    @Test(.enabled(if: geteuid() == 0 && access("/run/systemd/journal", F_OK) != 0))
    func anEntryArrivesAtTheJournalsSocket() throws {
        try FileManager.default.createDirectory(atPath: "/run/systemd/journal", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: "/run/systemd/journal") }
        let receiver = try Datagrams("/run/systemd/journal/socket")
        JournalSink().write(record("line one\nline two", [.init("rule.id", "p1")]))
        let bytes = receiver.next()
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.contains("PRIORITY=4\n"))
        #expect(text.contains("LANEWATCH_RULE_ID=p1\n"))
        // A value with a line feed goes with its length before it.
        #expect(text.contains("LANEWATCH_MESSAGE\n"))
        #expect(text.contains("line one\nline two"))
    }

    @Test func theFormatSuitsWhereItGoes() {
        func format(_ environment: [String: String], terminal: Bool) -> LogFormat {
            LogFormat.suitable(environment: { environment[$0] }, isTerminal: terminal, stream: (8, 1234))
        }
        #expect(format(["JOURNAL_STREAM": "8:1234"], terminal: false) == .journal)
        #expect(format(["JOURNAL_STREAM": "8:1235"], terminal: false) == .json)
        #expect(format([:], terminal: true) == .text(colour: true))
        #expect(format(["NO_COLOR": ""], terminal: true) == .text(colour: true))
        #expect(format(["NO_COLOR": "1"], terminal: true) == .text(colour: false))
        #expect(format(["TERM": "dumb"], terminal: true) == .text(colour: false))
        #expect(format([:], terminal: false) == .json)
    }

    @Test func linesGoToTheDescriptorWhole() throws {
        var ends: [Int32] = [0, 0]
        #expect(pipe(&ends) == 0)
        let sink = StreamSink(descriptor: ends[1], format: .json)
        let long = String(repeating: "x ", count: 500)
        for _ in 0..<3 { sink.write(record(long)) }
        close(ends[1])
        let text = String(
            decoding: FileHandle(fileDescriptor: ends[0], closeOnDealloc: true).readDataToEndOfFile(), as: UTF8.self)
        #expect(text == String(repeating: line(record(long), .json) + "\n", count: 3))
        // A reader that has gone is no reason to end.
        signal(SIGPIPE, SIG_IGN)
        sink.write(record("nobody"))
    }
}

/// A datagram socket that keeps what comes.
final class Datagrams {
    private let descriptor: Int32
    private let path: String

    init(_ path: String) throws {
        self.path = path
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let code = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard code == 0 else { throw SystemError("bind") }
        var limit = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    func next() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return Array(bytes.prefix(max(0, count)))
    }
}
