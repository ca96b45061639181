import CLinux
import Glibc
import Lane
import Loop
import Net

/// Replays a recording into the lane: at the pace of its times, faster, or as fast as the disk takes it.
///
/// The lane gives its own numbers and times, as to everything that comes in; the recording's decide order and pace. A line
/// that is no signal is told with its place (`day.jsonl:17:9: …`), counted and skipped.
@LoopActor public final class RecordingFeed: Feed {
    public struct Options: Hashable, Sendable {
        public var path: String
        /// 1 plays an hour in an hour, 60 in a minute; nil as fast as possible.
        public var speed: Double?
        /// Only signals of this lane, and those that name none; nil plays all.
        public var lane: String?
        public init(path: String, speed: Double? = 1) {
            self.path = path
            self.speed = speed
        }
    }

    /// As the agent's own: a recording holds what every feed has said.
    public nonisolated let kind = FeedKind.agent
    /// Lines: in, out (to the merge point), dropped (`malformed`, `unknown_type`, `card_data`, `oversized`, `other_lane`,
    /// `stopped`), held (one that waits for its moment).
    public private(set) var counts = StageCounts()

    private let options: Options
    private let onEnd: @LoopActor (RecordingFeed) -> Void
    private var sink: (any FeedSink)?
    private var reader: RecordingReader?
    private var framer = LineFramer(limit: 1 << 20)
    private var line: Int { framer.number }
    private var isAtEnd = false
    private var isReading = false
    private var next: (signal: Signal, at: LaneInstant)?
    private var last: LaneInstant?
    private var begin: (recorded: LaneInstant, boottime: Int64)?
    private var deadline: EventLoop.Deadline?
    private var notices = NoticeGate()

    private static let linesPerTurn = 256

    /// - Parameter onEnd: called once, after the last signal.
    public nonisolated init(_ options: Options, onEnd: @escaping @LoopActor (RecordingFeed) -> Void = { _ in }) {
        self.options = options
        self.onEnd = onEnd
    }

    public func start(_ sink: any FeedSink) throws(FeedError) {
        if let speed = options.speed, !(speed > 0 && speed.isFinite) {
            throw FeedError("the speed of a replay must be more than 0, not \(speed)", isRetriable: false)
        }
        let raw = lw_open(options.path, O_RDONLY | O_CLOEXEC, 0)
        guard raw >= 0 else {
            throw FeedError(
                "the recording \(options.path) cannot be read: \(SystemError.text(of: errno))", isRetriable: false)
        }
        reader = RecordingReader(Descriptor(owning: raw), path: options.path)
        self.sink = sink
        play()
    }

    public func stop() {
        if let deadline { EventLoop.shared.cancel(deadline) }
        deadline = nil
        // The signal that waited for its moment never had it.
        if next != nil {
            next = nil
            counts.held -= 1
            counts.drop("stopped")
        }
        reader = nil
        sink = nil
    }

    /// Nothing: a recording holds the snapshots that its feeds gave.
    public func resync() {}

    // MARK: Playing

    /// Gives out what is due, until something has to be waited for.
    private func play() {
        guard let sink else { return }
        for _ in 0..<Self.linesPerTurn {
            if next == nil { parseNext() }
            guard let (signal, at) = next else {
                if isAtEnd { end() } else { read() }
                return
            }
            if let due = moment(of: at), due > Boottime.milliseconds() {
                return again(atBoottime: due)
            }
            guard sink.room > 0 else { return sink.whenRoom { [weak self] in self?.again(atBoottime: 0) } }
            next = nil
            counts.held -= 1
            counts.out += 1
            sink.receive(.signal(signal))
        }
        // The other feeds have their turn.
        again(atBoottime: 0)
    }

    private func again(atBoottime moment: Int64) {
        if let deadline { EventLoop.shared.cancel(deadline) }
        deadline = EventLoop.shared.schedule(atBoottime: moment) { [weak self] in
            self?.deadline = nil
            self?.play()
        }
    }

    /// When a signal of the recording is due on the loop's clock; nil when at once.
    private func moment(of at: LaneInstant) -> Int64? {
        guard let speed = options.speed else { return nil }
        guard let begin else {
            begin = (at, Boottime.milliseconds())
            return nil
        }
        let milliseconds = Double(at.milliseconds(since: begin.recorded)) / speed
        // A century is enough for every recording, and keeps the sum in range.
        return begin.boottime + Int64(min(max(0, milliseconds), 3.2e12))
    }

    private func read() {
        guard !isReading, let reader else { return }
        isReading = true
        Task { [weak self] in
            let piece: Result<[UInt8], SystemError>
            do throws(SystemError) { piece = .success(try await reader.next()) } catch { piece = .failure(error) }
            guard let self else { return }
            self.isReading = false
            switch piece {
            case .success(let bytes) where !bytes.isEmpty: bytes.withUnsafeBytes { self.framer.append($0) }
            case .success: self.isAtEnd = true
            case .failure(let error):
                self.isAtEnd = true
                self.note("read", "\(self.options.path):\(self.line + 1): \(error)")
            }
            self.play()
        }
    }

    private func end() {
        guard let sink else { return }
        if counts.droppedTotal > 0 {
            let total = counts.dropped.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(
                separator: ", ")
            sink.note(Notice(.warning, "lines of the recording were not played", [.init("count", total)]))
        }
        reader = nil
        self.sink = nil
        onEnd(self)
    }

    // MARK: Lines

    /// Parses up to the next line that is a signal of this lane.
    private func parseNext() {
        while next == nil {
            switch framer.next() {
            case .line(let range): framer.withBytes(of: range) { take($0) }
            case .oversized:
                counts.in += 1
                drop("oversized", "the line is longer than \(framer.limit) bytes", column: 1)
            case nil:
                // The last line of a file may lack its line feed.
                guard isAtEnd, framer.count > 0 else { return }
                let lineFeed: [UInt8] = [0x0A]
                lineFeed.withUnsafeBytes { framer.append($0) }
            }
        }
    }

    private func take(_ bytes: UnsafeRawBufferPointer) {
        counts.in += 1
        let parsed: SignalLine
        do throws(SignalLineFault) { parsed = try SignalLine(parsing: bytes) } catch {
            let reason = error.message.hasPrefix("no signal \"") ? "unknown_type" : "malformed"
            return drop(reason, error.message, column: error.column)
        }
        if let lane = options.lane, let of = parsed.lane, of != lane { return counts.drop("other_lane") }
        for attribute in parsed.attributes where SocketIntake.isCardData(attribute) {
            return drop(
                "card_data", "attribute \"\(attribute.name.name)\" looks like card data; it was dropped", column: 1)
        }
        let at = parsed.at ?? last ?? LaneInstant(milliseconds: 0)
        if let last, at < last {
            note("backwards", "\(options.path):\(line):1: \"t\" goes back; the signal comes at once")
        }
        last = max(last ?? at, at)
        let feed = parsed.feed ?? SignalCatalogue.shipped[parsed.type].from.first ?? .pos
        counts.held += 1
        next = (
            Signal(parsed.type, parsed.attributes, feed: feed, traceparent: parsed.traceparent), max(last ?? at, at)
        )
    }

    private func drop(_ reason: String, _ message: String, column: Int) {
        counts.drop(reason)
        note(reason, "\(options.path):\(line):\(column): \(message)")
    }

    private func note(_ kind: String, _ sentence: String) {
        guard notices.pass(kind, now: Boottime.milliseconds()) != nil else { return }
        sink?.note(
            Notice(
                .warning, "a line of the recording is not played",
                [.init("error", CardText.masked(sentence) ?? sentence)]))
    }
}
