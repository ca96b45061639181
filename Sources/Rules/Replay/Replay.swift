import Lane

/// The rules over a recording: JSON Lines of one lane or several, each lane with an engine of its own, in virtual time.
///
/// Bytes come in pieces of any size (`add`); `finish` gives the result lines by time, then lane. Wall time is `t`, in UTC. 0
/// is the first signal and the end the last one, of the whole recording: deadlines before the end have fired, later ones
/// wait. The result lines are kept until then, as only the end tells whether there is more than one lane.
///
/// To spread lanes over cores, make one replay for each core (`part`, `of`), give every one of them all of the recording,
/// each on a thread of its own, and end them together (`Replay.finish(_:_:)`): the lines are those of a single replay. Of
/// several errors the one of the smallest line is the recording's.
public struct Replay: Sendable {
    /// What went in.
    public struct Counts: Hashable, Sendable {
        public var signals = 0
        /// Attributes and members that the catalogue does not declare for their signal, null, or of another kind.
        public var ignored = 0
        /// Of all lanes' engines.
        public var raised = 0
        public init() {}
    }

    /// A deadline after the end of the recording.
    public struct Waiting: Hashable, Sendable {
        /// The lane; nil where the recording holds but one.
        public var lane: String?
        /// After the first signal, in milliseconds.
        public var after: Int64
        /// What would come then: raise, escalate or clear.
        public var kind: Change.Kind
        public var rule: String
        public var key: [KeyPart]

        /// `105s raise payment-timeout pay=P1`, with `LANE: ` before it where there are several.
        public var text: String {
            let subject = [rule] + key.map { "\($0.name)=\(ResultLine.quoted($0.value))" }
            return (lane.map { ResultLine.quoted($0) + ": " } ?? "")
                + ([ResultLine.time(milliseconds: after), kind.rawValue] + subject).joined(separator: " ")
        }
    }

    private struct Track: Sendable {
        var name: String
        var engine: RuleEngine
        var lastTime: Int64 = .min
        var lastNumber: Int64 = .min
        var signals: Int64 = 0
        /// In order of time: when, and the result line without its time.
        var results: [(at: Int64, text: String)] = []
        /// Instead of `results`, where they are asked for.
        var episodes: EpisodeLog?

        mutating func keep(_ changes: [Change]) {
            if episodes != nil {
                for change in changes { episodes?.add(change) }
                return
            }
            for change in changes {
                if let text = ResultLine.withoutTime(change) { results.append((change.at.milliseconds, text)) }
            }
        }
    }

    /// Bytes of a line, at most.
    public static let maximumLine = 1 << 20

    public private(set) var counts = Counts()
    /// Set before the first signal: what each lane's engine makes notes of, to explain it.
    public var noting: Noting?
    /// Set before the first signal: the other lanes' signals are read, and nothing more.
    public var onlyLane: String?
    /// Set before the first signal: signals after this moment are read, and nothing more; deadlines up to it, itself included,
    /// have run at the end.
    public var stop: LaneInstant?
    private let set: RuleSet
    private let store: String
    private let defaultLane: String
    private var lanes: [Track] = []
    private var laneByName: [String: Int] = [:]
    private var latest = 0
    private var lineNumber = 0
    private var first: Int64 = .max
    private var last: Int64 = .min
    /// The beginning of a line whose end has not come yet.
    private var partial: [UInt8] = []

    private let part: Int
    private let parts: Int
    private let keepsEpisodes: Bool

    /// - Parameters:
    ///   - store: what interventions' ids are made of, with the lane.
    ///   - defaultLane: the lane of lines that name none.
    ///   - keepsEpisodes: to be ended by `Replay.episodes(_:)`; there are no result lines then.
    ///   - part: which lanes this replay runs, 0 to `of` − 1; it passes over the others.
    public init(
        _ set: RuleSet, store: String = "0000", defaultLane: String = "L07", keepsEpisodes: Bool = false,
        part: Int = 0, of parts: Int = 1
    ) {
        self.keepsEpisodes = keepsEpisodes
        self.part = part
        self.parts = max(1, parts)
        self.set = set
        self.store = store
        self.defaultLane = defaultLane
    }

    // MARK: In

    /// Takes the next piece of the recording. After an error nothing more is to be added.
    public mutating func add(_ bytes: UnsafeRawBufferPointer) throws(ReplayFault) {
        var start = 0
        if !partial.isEmpty {
            guard let end = Self.lineEnd(bytes, from: 0) else {
                partial.append(contentsOf: bytes)
                return try checkPartial()
            }
            partial.append(contentsOf: bytes[0..<end])
            let line = partial
            partial = []
            try addCopied(line)
            start = end + 1
        }
        while let end = Self.lineEnd(bytes, from: start) {
            try add(line: UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            start = end + 1
        }
        if start < bytes.count {
            partial.append(contentsOf: bytes[start...])
            try checkPartial()
        }
    }

    public mutating func add(_ bytes: [UInt8]) throws(ReplayFault) {
        var fault: ReplayFault?
        bytes.withUnsafeBytes { buffer in
            do throws(ReplayFault) { try add(buffer) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    private mutating func checkPartial() throws(ReplayFault) {
        if partial.count > Self.maximumLine {
            throw ReplayFault(line: lineNumber + 1, column: nil, message: "longer than \(Self.maximumLine) bytes")
        }
    }

    private mutating func addCopied(_ line: [UInt8]) throws(ReplayFault) {
        var fault: ReplayFault?
        line.withUnsafeBytes { buffer in
            do throws(ReplayFault) { try add(line: buffer) } catch { fault = error }
        }
        if let fault { throw fault }
    }

    /// The place of the next line feed. Eight bytes at a time: finding the ends of lines is a tenth of a replay else.
    private static func lineEnd(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let (ones, highs): (UInt64, UInt64) = (0x0101_0101_0101_0101, 0x8080_8080_8080_8080)
        var place = start
        while place + 8 <= bytes.count {
            let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            let difference = word ^ (ones &* 0x0A)
            let found = (difference &- ones) & ~difference & highs
            if found != 0 { return place + found.trailingZeroBitCount / 8 }
            place += 8
        }
        while place < bytes.count {
            if bytes[place] == 0x0A { return place }
            place += 1
        }
        return nil
    }

    private mutating func add(line bytes: UnsafeRawBufferPointer) throws(ReplayFault) {
        lineNumber += 1
        // Lines that hold something begin with "{": only the others are looked at twice.
        if bytes.first != UInt8(ascii: "{"), bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { return }
        if parts > 1, let isOurs = isOursAtAGlance(bytes), !isOurs { return }
        let line: SignalLine
        do throws(SignalLineFault) { line = try SignalLine(parsing: bytes) } catch {
            throw ReplayFault(line: lineNumber, column: error.column, message: error.message)
        }
        guard let at = line.at else {
            throw ReplayFault(
                line: lineNumber, column: nil, message: "no \"t\"; a recording needs the lane time, in ms")
        }
        if parts > 1 {
            let name = line.lane ?? defaultLane
            let bytes: [UInt8] = Array(name.utf8)
            guard bytes.withUnsafeBytes({ self.isOurs($0) }) else { return }
        }
        let lane = lane(line.lane)
        let number = line.number ?? lanes[lane].lastNumber.addingReportingOverflow(1).partialValue
        let (lastTime, lastNumber) = (lanes[lane].lastTime, lanes[lane].lastNumber)
        let time = at.milliseconds
        guard time > lastTime || (time == lastTime && number > lastNumber) || lanes[lane].signals == 0 else {
            let before =
                time < lastTime ? "t \(time) after \(lastTime)" : "seq \(number) after \(lastNumber) at t \(time)"
            throw ReplayFault(
                line: lineNumber, column: nil,
                message:
                    "lane \(ResultLine.quoted(lanes[lane].name)) is out of order: \(before); lines stand in order of t, then seq"
            )
        }
        lanes[lane].lastTime = time
        lanes[lane].lastNumber = number
        lanes[lane].signals += 1
        first = min(first, time)
        last = max(last, time)
        counts.signals += 1
        counts.ignored += line.ignored.count
        let signal = Signal(line.type, line.attributes, feed: line.feed ?? .pos, traceparent: line.traceparent)
        if let onlyLane, lanes[lane].name != onlyLane { return }
        if let stop, at > stop { return }
        let step = lanes[lane].engine.step(
            StampedSignal(number: number, at: at, wall: WallInstant(milliseconds: time), signal: signal))
        if !step.changes.isEmpty { lanes[lane].keep(step.changes) }
    }

    private mutating func lane(_ name: String?) -> Int {
        let name = name ?? defaultLane
        if latest < lanes.count, lanes[latest].name == name { return latest }
        if let known = laneByName[name] {
            latest = known
            return known
        }
        let table = RuleTable(set, lane: LaneIdentity(store: store, lane: name))
        latest = lanes.count
        var engine = RuleEngine(table: table)
        engine.noting = noting
        lanes.append(Track(name: name, engine: engine, episodes: keepsEpisodes ? EpisodeLog() : nil))
        laneByName[name] = latest
        return latest
    }

    /// Whether the line's lane is one of this part's, without reading the line; nil where only reading can tell.
    private func isOursAtAGlance(_ bytes: UnsafeRawBufferPointer) -> Bool? {
        // Within a string of the line the quotes would be escaped, so that this is the member, unless an object stands in it.
        let wanted: UInt64 = 0x223A_2265_6E61_6C22  // "lane":" from the last byte to the first
        var place = 1
        while place + 8 <= bytes.count {
            if bytes[place] == UInt8(ascii: "{") { return nil }
            if UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)) == wanted { break }
            place += 1
        }
        let start = place + 8
        var end = start
        while end < bytes.count, bytes[end] != UInt8(ascii: "\"") {
            if bytes[end] == UInt8(ascii: "\\") { return nil }
            end += 1
        }
        guard end < bytes.count else { return nil }
        return isOurs(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    }

    private func isOurs(_ lane: UnsafeRawBufferPointer) -> Bool {
        var hash: UInt32 = 2_166_136_261
        for byte in lane { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        return Int(hash % UInt32(parts)) == part
    }

    // MARK: Out

    /// Takes the last line, fires what is due before the end, and gives the result lines to `emit`, one by one.
    ///
    /// - Returns: the deadlines that still wait, by time, then lane.
    public mutating func finish(_ emit: (String) -> Void) throws(ReplayFault) -> [Waiting] {
        var parts = [self]
        defer { self = parts[0] }
        return try Self.finish(&parts, emit)
    }

    /// The same for the parts of one recording.
    public static func finish(_ parts: inout [Replay], _ emit: (String) -> Void) throws(ReplayFault) -> [Waiting] {
        for part in parts.indices { try parts[part].takeLastLine() }
        let first = parts.map(\.first).min() ?? 0
        let last = parts.map(\.last).max() ?? 0
        var order: [(part: Int, lane: Int, name: String)] = []
        for part in parts.indices {
            for lane in parts[part].lanes.indices { order.append((part, lane, parts[part].lanes[lane].name)) }
        }
        order.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        let zero = LaneInstant(milliseconds: first)
        var results: [(at: Int64, rank: Int, text: String)] = []
        var waiting: [(rank: Int, Waiting)] = []
        for (rank, place) in order.enumerated() {
            let name = order.count > 1 ? place.name : nil
            let (lines, deadlines) = parts[place.part].end(place.lane, at: last)
            for line in lines {
                let time = LaneInstant(milliseconds: line.at).milliseconds(since: zero)
                let text = "\(ResultLine.time(milliseconds: time)) \(line.text)"
                results.append((line.at, rank, (name.map { ResultLine.quoted($0) + ": " } ?? "") + text))
            }
            for deadline in deadlines {
                let after = deadline.at.milliseconds(since: zero)
                waiting.append(
                    (
                        rank,
                        Waiting(lane: name, after: after, kind: deadline.kind, rule: deadline.rule, key: deadline.key)
                    ))
            }
        }
        // Within a lane the order of the engine stays, also where two changes are of one moment.
        let sorted = results.indices.sorted {
            (results[$0].at, results[$0].rank, $0) < (results[$1].at, results[$1].rank, $1)
        }
        for place in sorted { emit(results[place].text) }
        let late = waiting.indices.sorted {
            (waiting[$0].1.after, waiting[$0].rank, $0) < (waiting[$1].1.after, waiting[$1].rank, $1)
        }
        return late.map { waiting[$0].1 }
    }

    /// The moment of the first signal; nil before it.
    public var start: LaneInstant? { counts.signals == 0 ? nil : LaneInstant(milliseconds: first) }

    /// The moment of the last signal; nil before the first.
    public var end: LaneInstant? { counts.signals == 0 ? nil : LaneInstant(milliseconds: last) }

    /// The lanes that the recording holds and their engines, by name.
    public var engines: [(lane: String, engine: RuleEngine)] {
        lanes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map { ($0.name, $0.engine) }
    }

    /// Takes the last lines and gives the interventions instead of result lines, by lane: what comparisons are made of.
    public static func episodes(_ parts: inout [Replay]) throws(ReplayFault) -> RecordedEpisodes {
        for part in parts.indices { try parts[part].takeLastLine() }
        var recorded = RecordedEpisodes()
        let last = parts.map(\.last).max() ?? 0
        recorded.first = parts.map(\.first).min() ?? 0
        recorded.last = max(recorded.first, last)
        for part in parts.indices {
            for lane in parts[part].lanes.indices {
                _ = parts[part].end(lane, at: last)
                let track = parts[part].lanes[lane]
                recorded.lanes[track.name] = track.episodes?.episodes ?? []
            }
            recorded.counts.signals += parts[part].counts.signals
            recorded.counts.ignored += parts[part].counts.ignored
            recorded.counts.raised += parts[part].counts.raised
        }
        return recorded
    }

    private mutating func takeLastLine() throws(ReplayFault) {
        guard !partial.isEmpty else { return }
        let line = partial
        partial = []
        try addCopied(line)
    }

    private mutating func end(
        _ lane: Int, at last: Int64
    ) -> (lines: [(at: Int64, text: String)], deadlines: [RuleEngine.Deadline]) {
        let due =
            stop.map { lanes[lane].engine.idle(until: $0, inclusive: true) }
            ?? lanes[lane].engine.idle(until: LaneInstant(milliseconds: last))
        lanes[lane].keep(due.changes)
        counts.raised += lanes[lane].engine.counts.raised
        let lines = lanes[lane].results
        lanes[lane].results = []
        return (lines, lanes[lane].engine.waiting)
    }
}

/// What is wrong with a recording, and where: lines and columns (bytes) from 1.
public struct ReplayFault: Error, Hashable, Sendable {
    public var line: Int
    public var column: Int?
    public var message: String

    public init(line: Int, column: Int?, message: String) {
        self.line = line
        self.column = column
        self.message = message
    }
}
