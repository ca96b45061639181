import Lane
import LaneTesting
import Testing

@Suite struct MessageTests {
    private func change(_ state: Intervention.State = .raised) throws -> Change {
        let signal = try #require(Signal.make("payment.started", ["pay": "P1", "amount": 1299]))
        let at = WallInstant(milliseconds: 1_767_607_200_000)
        var intervention = Intervention(
            id: LaneUUID(hashing: ["x"]), rule: "payment-timeout", title: "Payment has no answer", category: "payment",
            severity: .critical, topic: "sco.interventions", key: [KeyPart(name: "pay", value: "P1")], raisedAt: at,
            evidence: [Evidence(at: at, type: signal.type, attributes: signal.attributes)], phase: "payment",
            remoteResolvable: false, shadow: false, lateBy: nil,
            expires: WallInstant(milliseconds: at.milliseconds + 60_000))
        if state == .cleared {
            intervention.state = .cleared
            intervention.revision = 2
            intervention.clearedAt = at
            intervention.reason = .answered
        }
        return Change(
            number: 1, kind: .raise, at: LaneInstant(milliseconds: 5), wall: at, cause: 17, correlation: "T1",
            traceparent: nil, intervention: intervention)
    }

    private let messages = LaneMessages(
        identity: LaneIdentity(store: "0042", lane: "07"), rulesDigest: "sha256:abc")

    @Test func anInterventionsMessage() throws {
        let event = messages.event(for: try change(), recorded: WallInstant(milliseconds: 1_767_607_200_005))
        #expect(event.topic == "sco.interventions")
        #expect(event.key == "0042/07")
        #expect(event["ce_type"] == "sco.intervention.raised.v1")
        #expect(event["ce_source"] == "/stores/0042/lanes/07")
        #expect(event["ce_time"] == "2026-01-05T10:00:00.000Z")
        #expect(event["ce_recordedtime"] == "2026-01-05T10:00:00.005Z")
        #expect(event["ce_severitytext"] == "ERROR")
        #expect(event["ce_severitynumber"] == "17")
        #expect(event["ce_expirytime"] == "2026-01-05T10:01:00.000Z")
        #expect(event["ce_correlationid"] == "T1")
        #expect(event["ce_causationid"] == "17")
        let data = try JSONValue(parsing: event.value ?? [])
        #expect(data["intervention"]?.text == event["ce_subject"])
        #expect(data["key"]?["pay"]?.text == "P1")
        #expect(data["evidence"]?.elements?.first?["attributes"]?["amount"]?.int == 1299)
        #expect(data["lateBy"]?.isNull == true)
        #expect(data["clearedAt"] == nil)
    }

    @Test func theIdIsOfTheRevision() throws {
        let recorded = WallInstant(milliseconds: 0)
        let first = messages.event(for: try change(), recorded: recorded)
        let again = messages.event(for: try change(), recorded: WallInstant(milliseconds: 1))
        let cleared = messages.event(for: try change(.cleared), recorded: recorded)
        #expect(first.id == again.id)
        #expect(first.id != cleared.id)
        #expect(cleared["ce_type"] == "sco.intervention.cleared.v1")
        #expect(try JSONValue(parsing: cleared.value ?? [])["reason"]?.text == "answered")
    }

    @Test func shadowsAndRenamedTopics() throws {
        var renamed = messages
        renamed.topics.interventions = "shop.calls"
        #expect(renamed.event(for: try change(), recorded: WallInstant(milliseconds: 0)).topic == "shop.calls")
        var shadow = try change()
        shadow.intervention.shadow = true
        #expect(renamed.event(for: shadow, recorded: WallInstant(milliseconds: 0)).topic == "sco.rules.shadow")
        shadow.intervention.topic = "sco.interventions.payment"
        let told = renamed.event(for: shadow, recorded: WallInstant(milliseconds: 0))
        #expect(told.topic == "sco.rules.shadow")
        #expect(try JSONValue(parsing: told.value ?? [])["shadow"]?.bool == true)
        let calling = renamed.event(for: try change(), recorded: WallInstant(milliseconds: 0))
        #expect(try JSONValue(parsing: calling.value ?? [])["shadow"] == nil)
        var own = try change()
        own.intervention.topic = "sco.interventions.payment"
        #expect(renamed.event(for: own, recorded: WallInstant(milliseconds: 0)).topic == "sco.interventions.payment")
    }

    /// Whoever saw it raised sees it cleared: later messages go to every topic that an earlier one went to.
    @Test func aMovedInterventionIsToldOnEveryTopicItWasToldOn() throws {
        var renamed = messages
        renamed.topics.interventions = "shop.calls"
        var cleared = try change(.cleared)
        let recorded = WallInstant(milliseconds: 0)
        #expect(renamed.events(for: cleared, recorded: recorded).map(\.topic) == ["shop.calls"])
        cleared.intervention.move(to: "sco.urgent", shadow: false)
        cleared.intervention.move(to: "sco.manager", shadow: false)
        let events = renamed.events(for: cleared, recorded: recorded)
        #expect(events.map(\.topic) == ["shop.calls", "sco.urgent", "sco.manager"])
        #expect(Set(events.map(\.id)).count == 1 && Set(events.map(\.value)).count == 1)
        #expect(Set(events.map(\.headers)).count == 1)
    }

    @Test func movingBackAndForthNamesEachTopicOnce() throws {
        var intervention = try change().intervention
        let first = intervention.topic
        intervention.move(to: first, shadow: false)
        #expect(intervention.earlierTopics == [])
        intervention.move(to: "a", shadow: false)
        intervention.move(to: first, shadow: false)
        #expect(intervention.earlierTopics == ["a"])
        intervention.move(to: "a", shadow: true)
        #expect(intervention.earlierTopics == ["a", first] && intervention.ownTopic == "sco.rules.shadow")
        // In shadow mode the rule's own topic is nobody's.
        intervention.move(to: "b", shadow: true)
        #expect(intervention.earlierTopics == ["a", first])
        for number in 0..<100 { intervention.move(to: "t\(number)", shadow: false) }
        #expect(intervention.earlierTopics.count == Intervention.maximumEarlierTopics)
        #expect(intervention.earlierTopics.last == "t98")
    }

    @Test func aControlCharacterNeverReachesAHeader() throws {
        var bad = try change()
        bad.correlation = "T1\r\nce_type: x"
        #expect(messages.event(for: bad, recorded: WallInstant(milliseconds: 0))["ce_correlationid"] == nil)
    }

    @Test func goodTopicNamesPass() {
        for name in TopicNames().all + ["sco.interventions.age", String(repeating: "a", count: 249)] {
            #expect(TopicNames.fault(of: name) == nil)
        }
    }

    @Test(arguments: ["", ".", "..", "a b", "ä", "a/b", String(repeating: "a", count: 250)])
    func otherTopicNamesAreFaults(_ name: String) { #expect(TopicNames.fault(of: name) != nil) }

    @Test func sequencesSortAsText() {
        #expect(CloudEvent.sequence(epoch: 1, seq: 1) == "00000100000000000001")
        #expect(CloudEvent.sequence(epoch: 60_369, seq: 12) == "06036900000000000012")
        #expect(CloudEvent.sequence(epoch: .max, seq: .max) == "99999999999999999999")
    }

    @Test func aNewDatabaseBeginsALargerEpoch() {
        let made = WallInstant(milliseconds: 1_767_607_200_000)
        #expect(CloudEvent.epoch(madeAt: made, after: nil) == 52_714)
        #expect(CloudEvent.epoch(madeAt: made, after: 52_714) == 52_715)
        #expect(CloudEvent.epoch(madeAt: WallInstant(milliseconds: 0), after: nil) == 1)
    }
}
