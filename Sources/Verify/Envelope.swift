import Lane

/// A record's headers in place, sorted out: valid as long as the record is.
struct Envelope {
    /// Those that every message has, in the order they are checked.
    static let needed: [StaticString] = [
        "content-type", "ce_specversion", "ce_id", "ce_source", "ce_type", "ce_subject", "ce_time", "ce_recordedtime",
        "ce_sequence", "ce_partitionkey", "ce_dataschema",
    ]

    private(set) var contentType: UnsafeRawBufferPointer?
    private(set) var version: UnsafeRawBufferPointer?
    private(set) var id: UnsafeRawBufferPointer?
    private(set) var source: UnsafeRawBufferPointer?
    private(set) var type: UnsafeRawBufferPointer?
    private(set) var subject: UnsafeRawBufferPointer?
    private(set) var time: UnsafeRawBufferPointer?
    private(set) var recorded: UnsafeRawBufferPointer?
    private(set) var sequence: UnsafeRawBufferPointer?
    private(set) var partitionKey: UnsafeRawBufferPointer?
    private(set) var schema: UnsafeRawBufferPointer?
    private(set) var severityText: UnsafeRawBufferPointer?
    private(set) var severityNumber: UnsafeRawBufferPointer?
    private(set) var expiry: UnsafeRawBufferPointer?
    private var released: UnsafeRawBufferPointer?
    /// One that is there twice: which of them counts nobody says.
    private(set) var hasRepeats = false

    mutating func add(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
        // A header without a value is as if it were not there.
        guard let value else { return }
        func put(_ path: WritableKeyPath<Envelope, UnsafeRawBufferPointer?>) {
            if self[keyPath: path] != nil { hasRepeats = true }
            self[keyPath: path] = value
        }
        switch name.count {
        case 5 where Self.isEqual(name, "ce_id"): put(\.id)
        case 7:
            if Self.isEqual(name, "ce_type") { put(\.type) }
            if Self.isEqual(name, "ce_time") { put(\.time) }
        case 9 where Self.isEqual(name, "ce_source"): put(\.source)
        case 10 where Self.isEqual(name, "ce_subject"): put(\.subject)
        case 11 where Self.isEqual(name, "ce_sequence"): put(\.sequence)
        case 12 where Self.isEqual(name, "content-type"): put(\.contentType)
        case 13:
            if Self.isEqual(name, "ce_dataschema") { put(\.schema) }
            if Self.isEqual(name, "ce_expirytime") { put(\.expiry) }
        case 14 where Self.isEqual(name, "ce_specversion"): put(\.version)
        case 15:
            if Self.isEqual(name, "ce_recordedtime") { put(\.recorded) }
            if Self.isEqual(name, "ce_partitionkey") { put(\.partitionKey) }
            if Self.isEqual(name, "ce_severitytext") { put(\.severityText) }
            if Self.isEqual(name, "ce_releasedfrom") { put(\.released) }
        case 17 where Self.isEqual(name, "ce_severitynumber"): put(\.severityNumber)
        default: return
        }
    }

    static func isEqual(_ bytes: UnsafeRawBufferPointer, _ text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return text.withUTF8Buffer { text in
            for place in text.indices where bytes[place] != text[place] { return false }
            return true
        }
    }

    static func isEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool { a.elementsEqual(b) }

    /// Whether a terminal shows `text` and does nothing else: no control characters, of which terminals obey those from
    /// U+0080 on as well, and nothing that turns the direction of what follows. Source: ECMA-48; Unicode, annex 9.
    static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: false
            default: true
            }
        }
    }

    /// The text of `bytes`, nil where they are no UTF-8.
    static func text(_ bytes: UnsafeRawBufferPointer) -> String? { String(validating: bytes, as: UTF8.self) }

    /// What is wrong with the headers; nil where nothing is. Values are not repeated: they may be anybody's.
    func fault() -> String? {
        let all = [
            contentType, version, id, source, type, subject, time, recorded, sequence, partitionKey, schema,
        ]
        for (name, value) in zip(Self.needed, all) where value == nil { return "no header \(name)" }
        if hasRepeats { return "a header is there twice" }
        guard let contentType, Self.isEqual(contentType, "application/json") else {
            return "content-type must be application/json"
        }
        guard let version, Self.isEqual(version, "1.0") else { return "ce_specversion must be 1.0" }
        for (name, value) in [("ce_time", time), ("ce_recordedtime", recorded), ("ce_expirytime", expiry)] {
            if let value, Self.milliseconds(value) == nil { return "\(name) must be an RFC 3339 time" }
        }
        guard place != nil else { return "ce_sequence must be 20 digits" }
        return severityFault()
    }

    private func severityFault() -> String? {
        guard severityText != nil || severityNumber != nil else { return nil }
        guard let severityText, let severityNumber else {
            return "of ce_severitytext and ce_severitynumber one is missing"
        }
        let pairs: [(StaticString, StaticString)] = [("INFO", "9"), ("WARN", "13"), ("ERROR", "17")]
        let isGood = pairs.contains {
            Self.isEqual(severityText, $0.0) && Self.isEqual(severityNumber, $0.1)
        }
        return isGood ? nil : "ce_severitytext and ce_severitynumber must be INFO 9, WARN 13 or ERROR 17"
    }

    /// `ce_sequence`; nil where it is none.
    var place: SequenceLedger.Place? { sequence.flatMap(Self.place) }

    /// The place that the message had before it was withheld; nil for all others.
    var releasedFrom: SequenceLedger.Place? { released.flatMap(Self.place) }

    private static func place(_ sequence: UnsafeRawBufferPointer) -> SequenceLedger.Place? {
        guard sequence.count == 20 else { return nil }
        var epoch: Int64 = 0
        var seq: Int64 = 0
        for (index, digit) in sequence.enumerated() {
            guard digit >= 48, digit <= 57 else { return nil }
            if index < 6 { epoch = epoch * 10 + Int64(digit - 48) } else { seq = seq * 10 + Int64(digit - 48) }
        }
        return SequenceLedger.Place(epoch: epoch, seq: seq)
    }

    /// `/stores/{store}/lanes/{lane}` as `{store}/{lane}`; nil where it is not of that form.
    var lane: String? {
        guard let source, source.count <= 512, let text = Self.text(source) else { return nil }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "stores", parts[3] == "lanes", !parts[2].isEmpty,
            !parts[4].isEmpty, Self.isPrintable(text)
        else { return nil }
        return "\(parts[2])/\(parts[4])"
    }

    /// RFC 3339 as Unix milliseconds. What this product writes is read without making a text of it.
    static func milliseconds(_ bytes: UnsafeRawBufferPointer) -> Int64? {
        guard bytes.count <= 64, let text = text(bytes) else { return nil }
        return WallInstant(rfc3339: text)?.milliseconds
    }
}
