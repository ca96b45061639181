import Glibc
import Lane
import Loop

/// Writes the lane's signals as JSON Lines: `{"seq":17,"t":1795248843120,"lane":"07","type":"heartbeat"}`.
///
/// Signals are gathered in memory and given to a thread of its own each second. A disk that is full, fails or is too slow
/// costs lines, which are counted and told, and never the lane's time. A replay (`RecordingFeed`, `lanewatch replay`) gives
/// the same signals at the same moments.
@LoopActor public final class Recorder {
    public struct Options: Hashable, Sendable {
        public var path: String
        /// A file grows to this, at least 4096; then a new one is begun.
        public var limitBytes: Int64 = 64 << 20
        /// How many older files are kept: `path.1` is the newest of them.
        public var keep = 4
        /// The lane's name in each line; nil leaves it out.
        public var lane: String?
        /// Bytes of lines that may wait for the disk.
        public var bufferBytes = 1 << 20
        public init(path: String) { self.path = path }
    }

    /// Signals: in, out (in the file), dropped (`disk`: not written; `slow_disk`: no room to wait), held.
    public private(set) var counts = StageCounts()

    private let options: Options
    private let file: RecordingFile
    private let note: @LoopActor (Notice) -> Void
    private var line = JSONWriter()
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var isWriting = false
    private var isStopped = false
    private var flushing: EventLoop.Deadline?
    private var waiting: [CheckedContinuation<Void, Never>] = []
    /// Faults are told when they begin, when they change and when they are over; not each second.
    private var told: String?

    /// - Parameter note: where a failing disk is told.
    public nonisolated init(_ options: Options, note: @escaping @LoopActor (Notice) -> Void) {
        self.options = options
        self.note = note
        file = RecordingFile(path: options.path, limit: options.limitBytes, keep: options.keep)
    }

    public func record(_ signal: StampedSignal) {
        guard !isStopped else { return }
        counts.in += 1
        line.removeAll()
        SignalLine.write(signal, lane: options.lane, into: &line)
        guard bytes.count + line.bytes.count < options.bufferBytes else {
            counts.drop("slow_disk")
            return tell("the disk is slower than the signals come")
        }
        bytes.append(contentsOf: line.bytes)
        bytes.append(0x0A)
        ends.append(bytes.count)
        counts.held += 1
        if bytes.count >= options.bufferBytes / 4 {
            flush()
        } else if flushing == nil {
            flushing = EventLoop.shared.schedule(inMilliseconds: 1000) { [weak self] in
                self?.flushing = nil
                self?.flush()
            }
        }
    }

    /// Writes what waits, and ends. Returns once it is written or counted as dropped.
    public func stop() async {
        isStopped = true
        if let flushing { EventLoop.shared.cancel(flushing) }
        flushing = nil
        flush()
        while isWriting { await withCheckedContinuation { waiting.append($0) } }
        await file.close()
    }

    /// Gives what waits to the file's thread; one at a time, in order.
    private func flush() {
        guard !isWriting, !ends.isEmpty else { return }
        isWriting = true
        let (bytes, ends) = (self.bytes, self.ends)
        self.bytes = []
        self.ends = []
        Task {
            let (written, fault) = await file.append(bytes, ends: ends)
            isWriting = false
            counts.held -= ends.count
            counts.out += written
            if ends.count > written { counts.drop("disk", ends.count - written) }
            if let fault { tell(fault.sentence) } else if ends.count == written { recover() }
            if self.bytes.count >= options.bufferBytes / 4 || isStopped { flush() }
            guard !isWriting else { return }
            let waiting = self.waiting
            self.waiting = []
            for continuation in waiting { continuation.resume() }
        }
    }

    private func tell(_ sentence: String) {
        guard told != sentence else { return }
        told = sentence
        note(Notice(.error, "signals are not recorded; the lane goes on", [.init("error", sentence)]))
    }

    private func recover() {
        guard told != nil else { return }
        told = nil
        note(Notice(.info, "signals are recorded again", [.init("count", String(counts.droppedTotal))]))
    }
}
