import Lane

/// What a writer may bring.
struct SocketAccess: OptionSet {
    let rawValue: UInt8
    /// What comes from a POS application.
    static let pos = SocketAccess(rawValue: 1)
    /// What attendants say.
    static let staff = SocketAccess(rawValue: 2)
}

/// Decides about one line of the socket: a signal, or why it is none. Pure.
struct SocketIntake {
    let simulate: Bool

    struct Accepted {
        var signal: Signal
        var wantsAnswer: Bool
        var ignored: [String]
    }

    struct Refused: Error {
        /// The word it is counted under.
        var reason: String
        var message: String
        var column: Int?
        /// The writer asked for an answer, as far as can be told.
        var wantsAnswer: Bool
    }

    func take(_ bytes: UnsafeRawBufferPointer, _ access: SocketAccess = .pos) -> Result<Accepted, Refused> {
        // Before any text is made of the line: what a String holds cannot be wiped.
        if let suspect = CardLine.suspect(in: bytes) {
            let what = suspect.isEmpty ? "the line" : "attribute \"\(suspect)\""
            return .failure(
                Refused(
                    reason: "card_data", message: "\(what) looks like card data; it was dropped",
                    wantsAnswer: Self.mentionsAnswer(bytes)))
        }
        let line: SignalLine
        do throws(SignalLineFault) { line = try SignalLine(parsing: bytes) } catch {
            let reason = error.message.hasPrefix("no signal \"") ? "unknown_type" : "malformed"
            return .failure(
                Refused(
                    reason: reason, message: error.message, column: error.column,
                    wantsAnswer: Self.mentionsAnswer(bytes)))
        }
        let feed: FeedKind
        switch source(of: line, access) {
        case .success(let found): feed = found
        case .failure(let refused): return .failure(refused)
        }
        if let message = Self.staffFault(line) {
            return .failure(Refused(reason: "bad_verdict", message: message, wantsAnswer: line.wantsAnswer))
        }
        for attribute in line.attributes where Self.isCardData(attribute) {
            return .failure(
                Refused(
                    reason: "card_data",
                    message: "attribute \"\(attribute.name.name)\" looks like card data; it was dropped",
                    wantsAnswer: line.wantsAnswer))
        }
        var signal = Signal(line.type, line.attributes, feed: feed)
        var ignored = line.ignored
        if let traceparent = line.traceparent {
            if TraceContext.isValid(traceparent) {
                signal.traceparent = traceparent
            } else {
                ignored.append("traceparent")
            }
        }
        return .success(Accepted(signal: signal, wantsAnswer: line.wantsAnswer, ignored: ignored))
    }

    /// The feed that the line counts as, where its writer may bring its type.
    private func source(of line: SignalLine, _ access: SocketAccess) -> Result<FeedKind, Refused> {
        let from = SignalCatalogue.shipped[line.type].from
        if access.contains(.pos), from.contains(.pos) { return .success(.pos) }
        if access.contains(.staff), from.contains(.staff) { return .success(.staff) }
        if simulate { return .success(line.feed ?? from.first ?? .pos) }
        let feeds = from.map(\.rawValue).joined(separator: ", ")
        let message: String
        if !access.contains(.pos) {
            message = "\"\(line.type.name)\" is no signal of staff, and this user may bring no other"
        } else if from.contains(.staff) {
            message =
                "\"\(line.type.name)\" comes from staff alone; name the user in staff_users of the configuration, or one of its groups in staff_groups"
        } else {
            message = "\"\(line.type.name)\" does not come from a POS application, but from: \(feeds)"
        }
        return .failure(Refused(reason: "foreign_type", message: message, wantsAnswer: line.wantsAnswer))
    }

    /// What is wrong with what an attendant says of an intervention, or nil.
    private static func staffFault(_ line: SignalLine) -> String? {
        guard line.type == .attendantAcknowledged || line.type == .attendantResolved else { return nil }
        func text(_ name: AttributeName) -> String? {
            for attribute in line.attributes where attribute.name == name {
                if case .text(let text) = attribute.value { return text }
            }
            return nil
        }
        guard let id = text(.intervention) else {
            return "\"\(line.type.name)\" needs \"intervention\": the id of the intervention, as its messages carry it"
        }
        guard LaneUUID(id) != nil else {
            return
                "\"intervention\" must be the id of an intervention, a UUID such as 5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55"
        }
        guard let verdict = text(.verdict), Verdict(rawValue: verdict) == nil else { return nil }
        let names = Verdict.allCases.map(\.rawValue)
        if let near = EditDistance.nearest(to: String(verdict.prefix(64)), among: names) {
            return "no such verdict; did you mean \"\(near)\"?"
        }
        return "no such verdict; it is one of: \(names.joined(separator: ", "))"
    }

    private static let tradeItems: [AttributeName] = ["code", "sku"].compactMap { AttributeName($0) }

    static func isCardData(_ attribute: Attribute) -> Bool {
        switch attribute.value {
        case .int(let number): return CardText.isSuspect(number)
        case .text(let text):
            guard CardText.isSuspect(text) else { return false }
            // The hexadecimal digits of an id look so by chance.
            if attribute.name == .intervention, LaneUUID(text)?.isOwn == true { return false }
            // One EAN in ten passes Luhn; a code that is a right GTIN is an article.
            return !(tradeItems.contains(attribute.name) && CardText.isTradeItem(text))
        }
    }

    /// A line that cannot be read cannot say `ack`; one that has the word in it meant to.
    private static func mentionsAnswer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let word: [UInt8] = Array("\"ack\"".utf8)
        guard bytes.count >= word.count else { return false }
        return (0...bytes.count - word.count).contains { start in
            bytes[start] == word[0] && word.indices.allSatisfy { bytes[start + $0] == word[$0] }
        }
    }
}

/// W3C Trace Context. Source: https://www.w3.org/TR/trace-context/#traceparent-header
enum TraceContext {
    /// `00-` 32 hexadecimal digits `-` 16 `-` 2, lower case, ids not all zero; and nothing that looks like card data.
    static func isValid(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 4, parts.map(\.count) == [2, 32, 16, 2], !parts[0].elementsEqual("ff".utf8) else {
            return false
        }
        let isHex = parts.allSatisfy { $0.allSatisfy { ($0 >= 48 && $0 <= 57) || ($0 >= 97 && $0 <= 102) } }
        guard isHex, parts[1].contains(where: { $0 != 48 }), parts[2].contains(where: { $0 != 48 }) else {
            return false
        }
        return !CardText.isSuspect(text)
    }
}
