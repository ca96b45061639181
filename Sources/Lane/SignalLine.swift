/// One line that holds a signal: of the POS application's socket, of a recording, of the journal.
///
/// A flat JSON object: `{"type":"payment.started","pay":"P1","amount":1299}`. `seq`, `t`, `wall`, `lane`, `feed`, `ack`
/// and `traceparent` are the line's own; every other member is an attribute. An attribute that the catalogue does not
/// declare for the type, that is null, or that is of another kind than declared, is left out and counted in `ignored`:
/// rules would fail every test on it.
public struct SignalLine: Hashable, Sendable {
    public var type: SignalType
    public var attributes: [Attribute]
    /// `seq`: the number of the signal, where the line has one.
    public var number: Int64?
    /// `t`: lane time in milliseconds, where the line has one.
    public var at: LaneInstant?
    /// `wall`: Unix time in milliseconds, where the line has one.
    public var wall: WallInstant?
    public var lane: String?
    public var feed: FeedKind?
    /// `ack`: the writer wants an answer.
    public var wantsAnswer = false
    public var traceparent: String?
    /// Names of members that were left out, at most 16.
    public var ignored: [String] = []

    /// Reads one line, without its line feed. Times and numbers are what the line says; nothing is stamped.
    public init(parsing bytes: UnsafeRawBufferPointer) throws(SignalLineFault) {
        var scanner = JSONScanner(bytes)
        do throws(JSONFault) {
            try self.init(&scanner)
        } catch {
            throw SignalLineFault(message: error.message, column: error.offset + 1)
        }
    }

    public init(parsing text: String) throws(SignalLineFault) {
        let bytes = Array(text.utf8)
        let result: Result<SignalLine, SignalLineFault> = bytes.withUnsafeBytes { buffer in
            do throws(SignalLineFault) { return .success(try SignalLine(parsing: buffer)) } catch {
                return .failure(error)
            }
        }
        self = try result.get()
    }

    /// An attribute that stands before `type`, kept until the type is known.
    private struct Early {
        let name: Range<Int>
        let value: Int
    }

    private init(_ scanner: inout JSONScanner) throws(JSONFault) {
        // The real type follows; the first of the catalogue stands in until the line was read.
        self.type = SignalType(index: 0)
        attributes = []
        attributes.reserveCapacity(6)
        var type: SignalType?
        var early: [Early] = []
        try scanner.expect(UInt8(ascii: "{"), "an object: {\"type\":\"…\", …}")
        if !scanner.take(UInt8(ascii: "}")) {
            repeat {
                let name = try scanner.rawString()
                try scanner.expect(UInt8(ascii: ":"), "\":\" after the name")
                scanner.skipBlanks()
                let slice = UnsafeRawBufferPointer(rebasing: scanner.bytes[name.range])
                if try readOwn(slice, &scanner, &type) { continue }
                if let type {
                    try readAttribute(slice, of: type, &scanner)
                } else {
                    guard early.count < 64 else { throw scanner.fault("\"type\" must come among the first members") }
                    early.append(Early(name: name.range, value: scanner.position))
                    try scanner.skipValue()
                }
            } while scanner.take(UInt8(ascii: ","))
            try scanner.expect(UInt8(ascii: "}"), "\",\" or \"}\"")
        }
        try scanner.expectEnd()
        guard let type else { throw JSONFault(message: "no \"type\"; a signal needs one", offset: 0) }
        self.type = type
        for attribute in early {
            var again = JSONScanner(scanner.bytes, at: attribute.value)
            try readAttribute(UnsafeRawBufferPointer(rebasing: scanner.bytes[attribute.name]), of: type, &again)
        }
    }

    /// Reads the member if it is one of the line's own.
    private mutating func readOwn(
        _ name: UnsafeRawBufferPointer, _ scanner: inout JSONScanner, _ type: inout SignalType?
    ) throws(JSONFault) -> Bool {
        switch name.count {
        case 1 where name.is("t"):
            try once(at == nil, "t", scanner)
            at = LaneInstant(milliseconds: try integer(&scanner, "t"))
        case 3 where name.is("seq"):
            try once(number == nil, "seq", scanner)
            number = try integer(&scanner, "seq")
        case 3 where name.is("ack"):
            let isTrue = scanner.peek() == UInt8(ascii: "t")
            if isTrue { try scanner.word("true") } else { try scanner.word("false") }
            wantsAnswer = isTrue
        case 4 where name.is("type"):
            let raw = try scanner.rawString()
            let slice = UnsafeRawBufferPointer(rebasing: scanner.bytes[raw.range])
            guard let found = SignalCatalogue.shipped.type(named: slice) else {
                throw JSONFault(message: Self.unknownType(try scanner.text(of: raw)), offset: raw.range.lowerBound)
            }
            guard type == nil else { throw JSONFault(message: "\"type\" twice", offset: raw.range.lowerBound) }
            type = found
        case 4 where name.is("wall"):
            try once(wall == nil, "wall", scanner)
            wall = WallInstant(milliseconds: try integer(&scanner, "wall"))
        case 4 where name.is("lane"):
            try once(lane == nil, "lane", scanner)
            lane = try scanner.string()
        case 4 where name.is("feed"):
            try once(feed == nil, "feed", scanner)
            let text = try scanner.string()
            guard let kind = FeedKind(rawValue: text) else { throw scanner.fault("no feed \(Self.quoted(text))") }
            feed = kind
        case 11 where name.is("traceparent"):
            try once(traceparent == nil, "traceparent", scanner)
            traceparent = try scanner.string()
        default: return false
        }
        return true
    }

    private mutating func readAttribute(
        _ name: UnsafeRawBufferPointer, of type: SignalType, _ scanner: inout JSONScanner
    ) throws(JSONFault) {
        let start = scanner.position
        if let attribute = SignalCatalogue.shipped.attribute(named: name),
            let declared = SignalCatalogue.shipped[type].declared(attribute)
        {
            switch (declared.kind, scanner.peek() ?? 0) {
            case (.text, UInt8(ascii: "\"")):
                set(Attribute(attribute, .text(try scanner.string())))
                return
            case (.int, UInt8(ascii: "-")), (.int, UInt8(ascii: "0")...UInt8(ascii: "9")):
                if case .int(let value) = try scanner.number() {
                    set(Attribute(attribute, .int(value)))
                    return
                }
                scanner = JSONScanner(scanner.bytes, at: start)
            default: break
            }
        }
        try scanner.skipValue()
        if ignored.count < 16 { ignored.append(String(decoding: name, as: UTF8.self)) }
    }

    private mutating func set(_ attribute: Attribute) {
        for place in attributes.indices where attributes[place].name == attribute.name {
            attributes[place] = attribute
            return
        }
        attributes.append(attribute)
    }

    /// A member that stands twice may be read as either, and readers would differ.
    private func once(_ isFirst: Bool, _ name: StaticString, _ scanner: JSONScanner) throws(JSONFault) {
        guard isFirst else { throw scanner.fault("\"\(name)\" twice") }
    }

    private func integer(_ scanner: inout JSONScanner, _ name: StaticString) throws(JSONFault) -> Int64 {
        guard case .int(let value) = try scanner.number() else { throw scanner.fault("\"\(name)\" must be an int") }
        return value
    }

    /// As messages show it: short, and without control characters, which a terminal would obey.
    private static func quoted(_ text: String) -> String {
        var json = JSONWriter()
        json.value(String(text.prefix(64)))
        return json.text
    }

    private static func unknownType(_ name: String) -> String {
        let shown = String(name.prefix(64))
        guard let near = EditDistance.nearest(to: shown, among: SignalCatalogue.shipped.entries.map(\.name)) else {
            return "no signal \(quoted(name))"
        }
        return "no signal \(quoted(name)); did you mean \"\(near)\"?"
    }
}

extension SignalLine {
    /// Writes `stamped` as a line, without its line feed: what recordings and the journal hold.
    public static func write(
        _ stamped: StampedSignal, lane: String?, journal: Bool = false, into json: inout JSONWriter
    ) {
        json.object { json in
            json.member("seq", stamped.number)
            json.member("t", stamped.at.milliseconds)
            if journal {
                json.member("wall", stamped.wall.milliseconds)
                json.member("feed", stamped.signal.feed.rawValue)
                if let traceparent = stamped.signal.traceparent { json.member("traceparent", traceparent) }
            }
            if let lane { json.member("lane", lane) }
            json.member("type", stamped.signal.type.name)
            for attribute in stamped.signal.attributes {
                json.name(attribute.name.name)
                json.value(attribute.value)
            }
        }
    }
}

/// What is wrong with a line; `column` counts bytes from 1.
public struct SignalLineFault: Error, Hashable, Sendable {
    public var message: String
    public var column: Int

    public init(message: String, column: Int) {
        self.message = message
        self.column = column
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the bytes are those of `name`, of which only the count is known to be right.
    @inline(__always)
    fileprivate func `is`(_ name: StaticString) -> Bool {
        guard count == name.utf8CodeUnitCount else { return false }
        for i in 0..<count where self[i] != name.utf8Start[i] { return false }
        return true
    }
}
