import Lane

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

    func take(_ bytes: UnsafeRawBufferPointer) -> Result<Accepted, Refused> {
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
        let from = SignalCatalogue.shipped[line.type].from
        var feed = FeedKind.pos
        if !from.contains(.pos) {
            guard simulate else {
                let feeds = from.map(\.rawValue).joined(separator: ", ")
                return .failure(
                    Refused(
                        reason: "foreign_type",
                        message: "\"\(line.type.name)\" does not come from a POS application, but from: \(feeds)",
                        wantsAnswer: line.wantsAnswer))
            }
            feed = line.feed ?? from.first ?? .pos
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

    private static let tradeItems: [AttributeName] = ["code", "sku"].compactMap { AttributeName($0) }

    static func isCardData(_ attribute: Attribute) -> Bool {
        switch attribute.value {
        case .int(let number): return CardText.isSuspect(number)
        case .text(let text):
            guard CardText.isSuspect(text) else { return false }
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
