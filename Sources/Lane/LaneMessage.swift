/// The topics' names. A configuration may rename each; a rule may name one of its own.
public struct TopicNames: Hashable, Sendable {
    public var interventions = "sco.interventions"
    public var shadow = "sco.rules.shadow"
    /// False: what shadow rules raise is counted and told nowhere.
    public var publishesShadow = true
    public var laneState = "sco.lane-state"
    public var deviceHealth = "sco.device-health"
    public var audit = "sco.audit"
    /// Written by a console or a POS application, never by the agent.
    public var attendant = "sco.attendant"

    public init() {}

    /// Those that the agent writes.
    public var all: [String] { [interventions, shadow, laneState, deviceHealth, audit] }

    /// What is wrong with `name` as a topic's name, or nil. Source: Apache Kafka, `Topic.validate`.
    public static func fault(of name: String) -> String? {
        if name.isEmpty { return "a topic's name must not be empty" }
        if name.utf8.count > 249 { return "a topic's name must not be longer than 249 characters" }
        if name == "." || name == ".." { return "a topic cannot be called \"\(name)\"" }
        let isGood = name.utf8.allSatisfy {
            ($0 >= 48 && $0 <= 57) || ($0 | 32 >= 97 && $0 | 32 <= 122) || $0 == 45 || $0 == 46 || $0 == 95
        }
        return isGood ? nil : "a topic's name is made of letters, digits, \".\", \"_\" and \"-\""
    }
}

/// Makes the lane's messages: CloudEvents 1.0 in Kafka's binary mode, as `docs/reference/topics.md` describes them.
///
/// Pure: the same change gives the same bytes. `ce_id` and `ce_sequence` are the outbox's to add.
public struct LaneMessages: Sendable {
    public let identity: LaneIdentity
    public var topics: TopicNames
    /// The digest of the rule set in force: `sha256:…`.
    public var rulesDigest: String
    private let view: String

    public init(identity: LaneIdentity, topics: TopicNames = TopicNames(), rulesDigest: String) {
        self.identity = identity
        self.topics = topics
        self.rulesDigest = rulesDigest
        view = "/lanes/\(identity.lane)/view"
    }

    /// The message for every topic that has to hear of `change`: those that earlier messages about the intervention went to,
    /// then its own. The same id and the same bytes on each; a place of its own in each.
    public func events(for change: Change, recorded: WallInstant) -> [CloudEvent] {
        let own = event(for: change, recorded: recorded)
        // Nearly always.
        guard !change.intervention.earlierTopics.isEmpty else { return [own] }
        var events: [CloudEvent] = []
        for topic in change.intervention.earlierTopics.map(renamed) where topic != own.topic {
            var event = own
            event.topic = topic
            if !events.contains(where: { $0.topic == topic }) { events.append(event) }
        }
        return events + [own]
    }

    /// `sco.intervention.raised.v1`, `.updated.v1` or `.cleared.v1`: the whole intervention as it is after `change`.
    public func event(for change: Change, recorded: WallInstant) -> CloudEvent {
        let intervention = change.intervention
        let id = intervention.id.description
        var headers = headers(
            type: Self.type(of: intervention.state), subject: id, time: change.wall, recorded: recorded,
            schema: Self.interventionSchema)
        let severity = intervention.severity.openTelemetry
        headers.append("ce_severitytext", severity.text)
        headers.append("ce_severitynumber", String(severity.number))
        if let expires = intervention.expires { headers.append("ce_expirytime", expires.rfc3339) }
        if let correlation = change.correlation, let value = Self.headerValue(correlation) {
            headers.append("ce_correlationid", value)
        }
        if let cause = change.cause { headers.append("ce_causationid", String(cause)) }
        if let traceparent = change.traceparent, let value = Self.headerValue(traceparent) {
            headers.append("ce_traceparent", value)
        }
        var json = JSONWriter(reserving: 640)
        json.object { json in write(intervention, id, into: &json) }
        return CloudEvent(
            topic: topic(of: intervention), key: identity.partitionKey,
            id: LaneUUID(hashing: [id, String(intervention.revision)]), block: headers, value: json.bytes)
    }

    private static let interventionSchema = "urn:lanewatch:schema:sco.intervention.v1"

    private static func type(of state: Intervention.State) -> String {
        switch state {
        case .raised: "sco.intervention.raised.v1"
        case .updated: "sco.intervention.updated.v1"
        case .cleared: "sco.intervention.cleared.v1"
        }
    }

    /// A message that is no intervention: its type with version, its subject, and the members of its data after
    /// `store`, `lane` and `rules`, which every message has.
    public func event(
        topic: String, type: String, subject: String, time: WallInstant, recorded: WallInstant, chained: Bool = false,
        members: (inout JSONWriter) -> Void
    ) -> CloudEvent {
        var json = JSONWriter()
        json.object { json in
            json.member("store", identity.store)
            json.member("lane", identity.lane)
            json.member("rules", rulesDigest)
            members(&json)
        }
        return CloudEvent(
            topic: topic, key: identity.partitionKey, id: nil,
            block: headers(
                type: type, subject: subject, time: time, recorded: recorded, schema: "urn:lanewatch:schema:\(type)"),
            value: json.bytes, isChained: chained)
    }

    /// Where messages about `intervention` go by what it is now: shadow rules have a topic of their own, and the default names
    /// may be renamed.
    public func topic(of intervention: Intervention) -> String { renamed(intervention.ownTopic) }

    private func renamed(_ topic: String) -> String {
        let standard = TopicNames()
        switch topic {
        case standard.interventions: return topics.interventions
        case standard.shadow: return topics.shadow
        default: return topic
        }
    }

    private func headers(
        type: String, subject: String, time: WallInstant, recorded: WallInstant, schema: String
    ) -> HeaderBlock {
        // What the longest of ours needs, with the two that the outbox adds.
        var block = HeaderBlock(reserving: 768)
        block.append("content-type", "application/json")
        block.append("ce_specversion", "1.0")
        block.append("ce_type", type)
        block.append("ce_source", identity.source)
        block.append("ce_subject", subject)
        block.append("ce_time", time.rfc3339)
        block.append("ce_recordedtime", recorded.rfc3339)
        block.append("ce_partitionkey", identity.partitionKey)
        block.append("ce_dataschema", schema)
        return block
    }

    private func write(_ intervention: Intervention, _ id: String, into json: inout JSONWriter) {
        json.member("intervention", id)
        json.member("rule", intervention.rule)
        json.member("category", intervention.category)
        json.member("severity", intervention.severity.name)
        json.member("title", intervention.title)
        json.member("store", identity.store)
        json.member("lane", identity.lane)
        json.member("phase", orNull: intervention.phase)
        json.name("key")
        json.object { json in for part in intervention.key { json.member(part.name, part.value) } }
        json.member("state", intervention.state.rawValue)
        json.member("revision", intervention.revision)
        json.member("repeats", intervention.repeats)
        json.member("raisedAt", intervention.raisedAt)
        if let clearedAt = intervention.clearedAt { json.member("clearedAt", clearedAt) }
        if let reason = intervention.reason { json.member("reason", reason.rawValue) }
        json.name("evidence")
        json.array { json in
            for evidence in intervention.evidence {
                json.object { json in
                    json.member("at", evidence.at)
                    json.member("type", evidence.type.name)
                    json.name("attributes")
                    json.object { json in
                        for attribute in evidence.attributes {
                            json.name(attribute.name.name)
                            json.value(attribute.value)
                        }
                    }
                }
            }
        }
        json.member("remoteResolvable", intervention.remoteResolvable)
        json.member("view", view)
        json.member("rules", rulesDigest)
        json.member("lateBy", orNull: intervention.lateBy)
        if intervention.shadow { json.member("shadow", true) }
        if intervention.assumed { json.member("assumed", true) }
    }

    /// A header value is text without control characters (CloudEvents 1.0.2, section 3.1); what is not is left out.
    private static func headerValue(_ text: String) -> String? {
        guard !text.isEmpty, text.utf8.count <= 1024,
            text.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else { return nil }
        return text
    }
}
