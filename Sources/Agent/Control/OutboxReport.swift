import Delivery
import Kafka
import Lane
import Outbox

/// What `lanewatch outbox` tells: of a running agent, or of a state folder alone. Written as JSON, which `OutboxText` reads.
public struct OutboxReport: Sendable {
    /// The most messages in quarantine that are listed.
    public static let listed = 50

    private let contents: OutboxContents?
    private let topics: [PumpStatus.Topic]
    private let status: PumpStatus?
    private let limitBytes: Int64?
    private let heldSignals: Int

    /// Of a running agent. `contents` is nil where the disk does not answer.
    init(_ status: PumpStatus, _ contents: OutboxContents?, limitBytes: Int64, heldSignals: Int) {
        self.status = status
        self.contents = contents
        self.limitBytes = limitBytes
        self.heldSignals = heldSignals
        topics = status.topics
    }

    /// Of a state folder without an agent.
    public init(_ contents: OutboxContents) {
        status = nil
        self.contents = contents
        limitBytes = nil
        heldSignals = 0
        topics = contents.depths.map { depth in
            PumpStatus.Topic(
                topic: depth.topic, waiting: depth.rows, inFlight: 0, oldest: depth.oldest,
                acknowledged: depth.settled, head: depth.head)
        }
    }

    /// The member `outbox`.
    public func write(into json: inout JSONWriter) {
        json.name("outbox")
        json.object { json in
            json.member("state", status?.state.rawValue ?? "no_agent")
            json.member("waiting", topics.reduce(0) { $0 + $1.waiting })
            json.member("oldest", orNull: topics.compactMap(\.oldest).min()?.rfc3339)
            if let status { write(status, &json) }
            if let contents {
                json.member("epoch", contents.epoch)
                json.member("databaseBytes", contents.fileBytes)
                json.member("usedBytes", contents.usedBytes)
            } else {
                json.member("disk", "no_answer")
            }
            if let limitBytes { json.member("limitBytes", limitBytes) }
            json.name("topics")
            json.array { json in for topic in topics { write(topic, &json) } }
            writeQuarantine(&json)
        }
    }

    private func write(_ status: PumpStatus, _ json: inout JSONWriter) {
        json.member("inFlight", status.inFlight)
        json.member("inFlightBytes", status.bytesInFlight)
        json.member("heldSignals", heldSignals)
        json.member("lastAcknowledged", orNull: status.lastAcknowledged?.rfc3339)
        json.name("brokers")
        json.object { json in
            json.member("up", status.brokers.up)
            json.member("known", status.brokers.known)
        }
        json.name("failure")
        if let failure = status.failure {
            json.object { json in
                json.member("error", failure.error.name)
                json.member("description", failure.error.description)
                json.member("at", failure.at.rfc3339)
            }
        } else {
            json.null()
        }
        if let milliseconds = status.resumesInMilliseconds { json.member("resumesInMs", milliseconds) }
        json.name("drain")
        guard let drain = status.drain else { return json.null() }
        json.object { json in
            json.member("done", drain.done)
            json.member("of", drain.of)
            json.member("perSecond", Int(drain.perSecond.rounded()))
            json.member("forMs", drain.milliseconds)
            json.name("secondsLeft")
            if let left = drain.secondsLeft { json.value(Int64(left)) } else { json.null() }
        }
    }

    private func write(_ topic: PumpStatus.Topic, _ json: inout JSONWriter) {
        func sequence(_ position: Position) -> String {
            CloudEvent.sequence(epoch: position.epoch, seq: position.seq)
        }
        json.object { json in
            json.member("topic", topic.topic)
            json.member("waiting", topic.waiting)
            json.member("inFlight", topic.inFlight)
            json.member("oldest", orNull: topic.oldest?.rfc3339)
            json.member("acknowledged", sequence(topic.acknowledged))
            json.member("newest", sequence(topic.head))
            json.name("held")
            if let held = topic.held {
                json.object { json in
                    json.member("reason", held.reason.rawValue)
                    json.member("since", WallInstant(milliseconds: held.since).rfc3339)
                }
            } else {
                json.null()
            }
        }
    }

    private func writeQuarantine(_ json: inout JSONWriter) {
        let size = contents?.quarantine ?? status?.quarantine ?? QuarantineSize()
        json.name("quarantine")
        json.object { json in
            json.member("messages", size.messages)
            json.member("bytes", size.bytes)
            json.member("limitMessages", QuarantineSize.limit.messages)
            json.member("limitBytes", QuarantineSize.limit.bytes)
            json.name("list")
            json.array { json in for letter in contents?.letters ?? [] { letter.write(into: &json) } }
        }
    }
}

extension DeadLetter {
    func write(into json: inout JSONWriter) {
        json.object { json in writeMembers(into: &json) }
    }

    func writeMembers(into json: inout JSONWriter) {
        json.member("id", id.description)
        json.member("topic", topic)
        json.member("sequence", CloudEvent.sequence(epoch: position.epoch, seq: position.seq))
        json.member("type", headers["ce_type"] ?? "")
        json.member("bytes", bytes)
        json.member("accepted", created.rfc3339)
        json.member("withheld", moved.rfc3339)
        json.member("reason", reason)
    }
}
