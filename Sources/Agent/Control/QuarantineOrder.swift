import Delivery
import Glibc
import Lane
import Loop
import Outbox

/// What somebody wants done with a message in quarantine: which one, what, and the words for the audit.
public struct QuarantineOrder: Sendable {
    public enum Deed: Hashable, Sendable {
        case release
        case discard(why: String)
    }

    /// The id, or the beginning of it.
    public var id: String
    /// Where several topics have it.
    public var topic: String?
    public var deed: Deed

    public init(id: String, topic: String?, _ deed: Deed) {
        self.id = id
        self.topic = topic
        self.deed = deed
    }

    public var isRelease: Bool { deed == .release }

    /// What is wrong with the words alone.
    public func check() throws(ControlFault) {
        guard id.utf8.count >= 4 else {
            throw ControlFault("refused", "\"\(id)\" is too short for an id; give 4 letters of it or more")
        }
        guard case .discard(let why) = deed else { return }
        let text = why.utf8.filter { $0 > 0x20 }
        guard text.count >= 3 else { throw ControlFault("refused", "say why, in a few words: the audit keeps it") }
        guard why.utf8.count <= 500, why.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw ControlFault("refused", "the reason is one line of at most 500 bytes")
        }
        guard !CardText.isSuspect(why) else {
            throw ControlFault("refused", "the reason holds what looks like a card number; nothing was done")
        }
    }

    /// The one message that is meant.
    public func choose(among letters: [DeadLetter]) throws(ControlFault) -> DeadLetter {
        let shown = String(id.prefix(64))
        let found = letters.filter { letter in
            letter.id.description.hasPrefix(id.lowercased()) && (topic.map { $0 == letter.topic } ?? true)
        }
        guard let first = found.first else {
            throw ControlFault(
                "unknown_message", "no message \"\(shown)\" in quarantine; \"lanewatch outbox\" lists them")
        }
        guard found.count == 1 else {
            let isOneID = found.allSatisfy { $0.id == first.id }
            let names = found.prefix(5).map { isOneID ? $0.topic : $0.id.description }.joined(separator: ", ")
            throw ControlFault(
                "unknown_message",
                isOneID
                    ? "\"\(shown)\" is in quarantine on several topics; add the topic: \(names)"
                    : "\"\(shown)\" means several messages; give more of the id: \(names)")
        }
        if isRelease, first.headers["ce_type"] == "sco.lane.state.v1" {
            throw ControlFault(
                "refused",
                "it tells what the lane was like, and newer messages have told it since; discard it: sent now, it would be "
                    + "taken for the newest")
        }
        return first
    }

    /// The message for the audit: who did what to which message, and why.
    public func audit(_ letter: DeadLetter, by uid: UInt32, at now: WallInstant, _ messages: LaneMessages) -> CloudEvent
    {
        messages.event(
            topic: messages.topics.audit,
            type: isRelease ? "sco.message.released.v1" : "sco.message.discarded.v1", subject: "outbox", time: now,
            recorded: now, chained: true
        ) { json in
            json.member("id", letter.id.description)
            json.member("topic", letter.topic)
            json.member("sequence", CloudEvent.sequence(epoch: letter.position.epoch, seq: letter.position.seq))
            json.member("type", letter.headers["ce_type"] ?? "")
            json.member("uid", Int64(uid))
            if let name = Accounts.name(ofUser: uid) { json.member("user", name) }
            if case .discard(let why) = deed { json.member("why", why) }
            json.member("at", now.rfc3339)
        }
    }

    /// The request to a running agent.
    public var request: ControlRequest {
        switch deed {
        case .release: .release(id: id, topic: topic)
        case .discard(let why): .discard(id: id, topic: topic, why: why)
        }
    }

    /// Does it in an outbox that no agent has open.
    /// - Returns: the message as it was in quarantine.
    public func perform(on outbox: Outbox, by uid: UInt32, _ messages: LaneMessages) async throws -> DeadLetter {
        let letter = try choose(among: try await outbox.deadLetters(limit: QuarantineSize.limit.messages))
        let now = WallInstant(milliseconds: Boottime.wallMilliseconds())
        var events = [audit(letter, by: uid, at: now, messages)]
        if isRelease, let parcel = try await outbox.deadLetter(letter.mark) {
            events.insert(Quarantine.released(parcel), at: 0)
        }
        guard try await outbox.resolve(letter.mark, keeping: events) != nil else {
            throw ControlFault("unknown_message", "somebody else has just dealt with \(letter.id)")
        }
        return letter
    }

    /// The member that tells what was done.
    public func write(_ letter: DeadLetter, into json: inout JSONWriter) {
        json.name(isRelease ? "released" : "discarded")
        letter.write(into: &json)
    }
}
