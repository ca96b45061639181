import Lane

/// Holds what is read of topics against what the product promises: every sequence there, once, in order, each message of its
/// form. Pure: records in, findings out.
///
/// Memory grows with lanes and gaps, not with messages: about 20 KB for a busy lane and topic.
public struct Verifier {
    public struct Settings: Sendable {
        /// Topics on which only the last message of a lane need be there.
        public var compacted: Set<String> = [TopicNames().laneState]
        /// Milliseconds from recorded to the log after which a message counts as late.
        public var lateAfter: Int64 = 60_000
        /// `{store}/{lane}`: no others are looked at. Empty for all.
        public var lanes: Set<String> = []

        public init() {}
    }

    /// Lanes and topics that are kept apart; messages of more are counted in `overflow`.
    static let streamLimit = 200_000

    public let topics: [String]
    public let settings: Settings
    private let schemas: Schemas
    public private(set) var streams: [Stream] = []
    private var places: [UInt64: Int] = [:]
    private var sources: [[UInt8]] = []
    /// Messages that were not looked at, because they are of too many lanes.
    public private(set) var overflow: Int64 = 0
    /// Of lanes that were not asked for.
    public private(set) var skipped: Int64 = 0
    public private(set) var records: Int64 = 0

    public init(topics: [String], settings: Settings, schemas: Schemas) {
        self.topics = topics
        self.settings = settings
        self.schemas = schemas
    }

    public var isClean: Bool { overflow == 0 && streams.allSatisfy(\.isClean) }

    /// Takes the next record. Of one partition they must come in the order of the log.
    public mutating func take(_ record: SeenRecord) {
        records += 1
        let isTombstone =
            record.value == nil && topics.indices.contains(record.topic)
            && settings.compacted.contains(topics[record.topic])
        guard let place = stream(of: record, isTombstone) else { return }
        streams[place].records += 1
        if isTombstone {
            streams[place].tombstones += 1
        } else if let envelope = judge(record, place) {
            look(into: record, envelope, place)
        }
    }

    // MARK: Whose it is

    private mutating func stream(of record: SeenRecord, _ isTombstone: Bool) -> Int? {
        let named = record.envelope.source ?? (isTombstone ? record.key : nil)
        let source = named.flatMap { $0.count <= 512 ? $0 : nil } ?? UnsafeRawBufferPointer(start: nil, count: 0)
        var hasher = Hasher()
        hasher.combine(record.topic)
        hasher.combine(bytes: source)
        var hash = UInt64(bitPattern: Int64(hasher.finalize()))
        while let place = places[hash] {
            // A negative place is a lane that was not asked for.
            if place < 0 {
                skipped += 1
                return nil
            }
            if topics.indices.contains(record.topic), streams[place].topic == topics[record.topic],
                sources[place].elementsEqual(source)
            {
                return place
            }
            hash &+= 1
        }
        guard topics.indices.contains(record.topic), places.count < Self.streamLimit else {
            overflow += 1
            return nil
        }
        let lane = record.envelope.lane ?? (isTombstone ? Self.shown(source) : "")
        guard settings.lanes.isEmpty || settings.lanes.contains(lane) else {
            places[hash] = -1
            skipped += 1
            return nil
        }
        places[hash] = streams.count
        let topic = topics[record.topic]
        streams.append(Stream(topic: topic, lane: lane, isCompacted: settings.compacted.contains(topic)))
        sources.append(Array(source))
        return streams.count - 1
    }

    private static func shown(_ key: UnsafeRawBufferPointer) -> String {
        let text = Envelope.text(key) ?? ""
        return Envelope.isPrintable(text) ? text : ""
    }

    // MARK: Its place

    private struct Judged {
        var place: SequenceLedger.Place
        var type: String
    }

    /// Looks at headers, key and sequence.
    /// - Returns: nil where there is nothing more to look at: a repeat, or headers from which nothing can be told.
    private mutating func judge(_ record: SeenRecord, _ place: Int) -> Judged? {
        let envelope = record.envelope
        let fault = envelope.fault() ?? (envelope.lane == nil ? "ce_source must be /stores/{store}/lanes/{lane}" : nil)
        if let fault { streams[place].add(.headers, record, fault) }
        guard envelope.lane != nil, let sequence = envelope.place, let type = envelope.type else { return nil }
        let lane = streams[place].lane
        let isKey = record.key.map { $0.elementsEqual(lane.utf8) } ?? false
        let isPartitionKey = envelope.partitionKey.map { $0.elementsEqual(lane.utf8) } ?? false
        if !isKey || !isPartitionKey {
            streams[place].add(.key, record, "the \(isKey ? "ce_partitionkey" : "key") is not \(lane)")
        }
        let arrival = streams[place].ledger.take(sequence, partition: record.partition, print: record.print)
        streams[place].lastSeen = sequence
        let standsIn =
            Envelope.isEqual(type, "sco.message.withheld.v1") || Envelope.isEqual(type, "sco.messages.dropped.v1")
        // A lane that never heard of its message's arrival may withhold or drop it afterwards, and tells so in its place.
        if !standsIn || arrival != .repeated(isSame: false) {
            guard count(arrival, sequence, record, place) else { return nil }
        }
        delay(record, place)
        return Judged(place: sequence, type: Envelope.text(type) ?? "")
    }

    /// - Returns: whether the message is one that was not seen before.
    private mutating func count(
        _ arrival: SequenceLedger.Arrival, _ sequence: SequenceLedger.Place, _ record: SeenRecord, _ place: Int
    ) -> Bool {
        // Compaction takes messages out, and what a producer sends again may be all that is left of it.
        if streams[place].isCompacted {
            if case .repeated(isSame: false) = arrival { return conflict(sequence, record, place) }
            if case .repeated = arrival { streams[place].repeats += 1 }
            return true
        }
        switch arrival {
        case .begins, .next, .opensGap: return true
        case .outOfOrder:
            streams[place].add(.order, record, "\(sequence.text) comes below one that came before")
        case .staleEpoch:
            streams[place].add(.order, record, "\(sequence.text) comes after a newer epoch began")
        case .acrossPartitions: streams[place].acrossPartitions += 1
        case .repeated(isSame: true):
            streams[place].repeats += 1
            return false
        case .repeated(isSame: false): return conflict(sequence, record, place)
        case .repeated(isSame: nil):
            streams[place].repeatsUnchecked += 1
            return false
        case .beforeFirst:
            streams[place].beforeFirst += 1
        case .undecided:
            streams[place].add(.undecided, record, "\(sequence.text) comes where too much is missing")
        }
        return true
    }

    private mutating func conflict(
        _ sequence: SequenceLedger.Place, _ record: SeenRecord, _ place: Int
    ) -> Bool {
        streams[place].add(.conflict, record, "\(sequence.text) was there before, with other content")
        return true
    }

    private mutating func delay(_ record: SeenRecord, _ place: Int) {
        guard let timestamp = record.timestamp, let text = record.envelope.recorded,
            let recorded = Envelope.milliseconds(text)
        else { return }
        // A producer writes what it likes as a timestamp.
        let (difference, overflows) = timestamp.subtractingReportingOverflow(recorded)
        let delay = overflows ? (timestamp < 0 ? Int64.min : Int64.max) : difference
        streams[place].longestDelay = max(streams[place].longestDelay, delay)
        if delay > settings.lateAfter { streams[place].late += 1 }
    }

    // MARK: What it says

    private mutating func look(into record: SeenRecord, _ judged: Judged, _ place: Int) {
        guard let bytes = record.value else { return streams[place].add(.value, record, "there is no value") }
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: Array(bytes)) } catch {
            return streams[place].add(.value, record, "the value is no JSON: byte \(error.offset), \(error.message)")
        }
        let type = judged.type
        // Both stand in the place of others.
        let isWithheld = type == Self.withheldType
        let dropped = type == Self.droppedType ? dropped(value, judged.place, record, place) : nil
        if isWithheld { streams[place].withheld += 1 }
        checkSchema(value, type, record, place)
        checkID(value, judged, record, place)
        if let link = AuditChain.link(of: bytes) {
            let digest = isWithheld || dropped != nil ? value["sha256"]?.text : nil
            let isRight = streams[place].chain.take(
                judged.place, from: dropped?.lowerBound, link: link, value: bytes, digest: digest)
            if isRight == false {
                streams[place].add(
                    .chain, record, "previous of \(judged.place.text) is not the digest of the one before")
            }
        }
        if let lateBy = value["lateBy"]?.int {
            streams[place].lateTimers += 1
            streams[place].latestTimer = max(streams[place].latestTimer, lateBy)
        }
    }

    static let withheldType = "sco.message.withheld.v1"
    static let droppedType = "sco.messages.dropped.v1"

    /// A lane tells what it has dropped: from `first` to `last`, whose place the message has.
    private mutating func dropped(
        _ value: JSONValue, _ sequence: SequenceLedger.Place, _ record: SeenRecord, _ place: Int
    ) -> ClosedRange<Int64>? {
        streams[place].dropNotices += 1
        let first = value["first"]?.text.flatMap { CloudEvent.parseSequence($0) }
        let last = value["last"]?.text.flatMap { CloudEvent.parseSequence($0) }
        guard let first, let last, first.epoch == sequence.epoch, last.epoch == sequence.epoch,
            last.seq == sequence.seq,
            first.seq >= 1, first.seq <= last.seq
        else {
            streams[place].add(.value, record, "what \(sequence.text) says it dropped does not end in its own place")
            return nil
        }
        streams[place].ledger.tell(first.seq...last.seq, of: sequence.epoch)
        return first.seq...last.seq
    }

    private mutating func checkSchema(_ value: JSONValue, _ type: String, _ record: SeenRecord, _ place: Int) {
        // That it is missing is told with the headers.
        guard let header = record.envelope.schema else { return }
        let id = Schemas.id(ofType: type)
        guard header.elementsEqual(id.utf8) else {
            return streams[place].add(.headers, record, "ce_dataschema is not that of its ce_type")
        }
        guard let schema = schemas[id] else {
            return streams[place].add(.unknown, record, "no schema of this ce_type is known here")
        }
        if let fault = schema.fault(of: value) { streams[place].add(.schema, record, fault) }
    }

    /// Every id is made by hashing what decides it: it can be made again.
    private mutating func checkID(_ value: JSONValue, _ judged: Judged, _ record: SeenRecord, _ place: Int) {
        guard let id = record.envelope.id, let source = record.envelope.source.flatMap(Envelope.text) else { return }
        var parts: [String]
        if Schemas.id(ofType: judged.type) == Schemas.id(ofType: "sco.intervention.raised.v1") {
            guard let intervention = value["intervention"]?.text, let revision = value["revision"]?.int else { return }
            parts = [intervention, String(revision)]
        } else {
            // Sent again out of quarantine, a message has the id of the place that it had.
            let made = record.envelope.releasedFrom ?? judged.place
            parts = [source, streams[place].topic, String(made.epoch), String(made.seq)]
            if judged.type == Self.withheldType { parts.insert("withheld", at: 0) }
            if judged.type == Self.droppedType { parts.append(Self.droppedType) }
        }
        if !id.elementsEqual(LaneUUID(hashing: parts).description.utf8) {
            streams[place].add(.id, record, "ce_id of \(judged.place.text) is not made of what it names")
        }
    }
}

extension SequenceLedger.Place {
    /// For people: `60381:15011`, epoch and sequence.
    public var text: String { "\(epoch):\(seq)" }
}
