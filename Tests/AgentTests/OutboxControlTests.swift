import Lane
import Outbox
import Testing

@testable import Agent

/// What is told of an outbox, how people read it, and what may be done with its quarantine.
@Suite struct OutboxControlTests {
    private static func answer(_ outbox: String) throws -> JSONValue {
        try JSONValue(
            parsing: """
                {"ok":true,"store":"0042","lane":"07","now":"2026-11-21T14:15:15.000Z","timezone":"UTC","outbox":\(outbox)}
                """)
    }

    private func screen(_ outbox: String) throws -> [String] {
        OutboxText.text(try Self.answer(outbox), zone: UTC()).split(
            separator: "\n", omittingEmptySubsequences: false
        ).dropLast().map(String.init)
    }

    @Test func anOutageOnAScreen() throws {
        #expect(
            try screen(
                """
                {"state":"no_broker","waiting":12431,"oldest":"2026-11-21T14:03:12.000Z","inFlight":1000,"inFlightBytes":912345,
                "heldSignals":0,"lastAcknowledged":"2026-11-21T14:03:11.000Z","brokers":{"up":0,"known":3},"failure":null,"drain":null,
                "epoch":60482,"databaseBytes":20480000,"usedBytes":10240000,"limitBytes":536870912,"topics":[
                {"topic":"sco.audit","waiting":1,"inFlight":0,"oldest":"2026-11-21T14:10:00.000Z","acknowledged":"0","newest":"0",
                "held":{"reason":"unknown","since":"2026-11-21T14:02:00.000Z"}},
                {"topic":"sco.device-health","waiting":0,"inFlight":0,"oldest":null,"acknowledged":"0","newest":"0","held":null},
                {"topic":"sco.interventions","waiting":12430,"inFlight":1000,"oldest":"2026-11-21T14:03:12.000Z","acknowledged":"0",
                "newest":"0","held":null}],
                "quarantine":{"messages":0,"bytes":0,"limitMessages":1000,"limitBytes":67108864,"list":[]}}
                """) == [
                    "lane 0042/07: 12 431 messages wait, the oldest since 14:03:12 (12m3s ago); no broker answers",
                    "",
                    "TOPIC              WAITING  IN FLIGHT  OLDEST                WHY",
                    "sco.audit                1          0  14:10:00 (5m15s ago)  the cluster has no such topic since 14:02:00; make it",
                    "sco.device-health        0          0  -",
                    "sco.interventions   12 430      1 000  14:03:12 (12m3s ago)  no broker answers",
                    "",
                    "brokers     0 of 3 up; last acknowledgement 14:03:11 (12m4s ago)",
                    "in flight   1 000 messages, 912 kB",
                    "database    10 MB of at most 537 MB, file 20 MB, epoch 60482",
                    "quarantine  empty",
                ])
    }

    @Test func aDrainAndAQuarantineOnAScreen() throws {
        let lines = try screen(
            """
            {"state":"recovering","resumesInMs":2400,"waiting":1,"oldest":null,"inFlight":0,"inFlightBytes":0,"heldSignals":3,
            "lastAcknowledged":null,"brokers":{"up":3,"known":3},
            "failure":{"error":"MSG_SIZE_TOO_LARGE","description":"Broker: Message size too large","at":"2026-11-21T14:15:14.000Z"},
            "drain":{"done":12000,"of":100000,"perSecond":1480,"forMs":8000,"secondsLeft":60},"disk":"no_answer","topics":[],
            "quarantine":{"messages":2,"bytes":312456,"limitMessages":1000,"limitBytes":67108864,"list":[
            {"id":"5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55","topic":"sco.interventions","sequence":"06048200000000000042",
            "type":"sco.intervention.raised.v1","bytes":312456,"accepted":"2026-11-21T14:01:00.000Z",
            "withheld":"2026-11-20T23:59:00.000Z","reason":"MSG_SIZE_TOO_LARGE: Broker: Message size too large"}]}}
            """)
        #expect(
            lines == [
                "lane 0042/07: 1 message waits; the producer is made anew after MSG_SIZE_TOO_LARGE, in 3s",
                "",
                "brokers     3 of 3 up; none has acknowledged anything yet",
                "in flight   0 messages, 0 B",
                "producer    made anew 14:15:14 (1s ago) after MSG_SIZE_TOO_LARGE: Broker: Message size too large",
                "drain       12 000 of 100 000 delivered in 8s, 1 480/s, about 1m left",
                "disk        3 signals wait in memory for the disk",
                "disk        the outbox's file does not answer: look at the disk",
                "quarantine  2 messages of at most 1 000, 312 kB: no broker takes them",
                "",
                "ID                                    TOPIC              TYPE                          SIZE  SINCE                REASON",
                "5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55  sco.interventions  sco.intervention.raised.v1  312 kB  2026-11-20 23:59:00  MSG_SIZE_TOO_LARGE: Broker: Message size too large",
                "… and 1 more",
                "",
                "\"lanewatch outbox release ID\" sends one again, once the cause is mended; \"lanewatch outbox discard ID --why TEXT\" throws it away.",
            ])
    }

    @Test(
        arguments: [
            (0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567"), (-12_000, "-12 000"),
        ] as [(Int64, String)]) func thousandsHaveBlanks(value: Int64, text: String)
    {
        #expect(OutboxText.number(value) == text)
    }

    @Test(
        arguments: [
            (0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (9949, "9.9 kB"), (9999, "10 kB"), (312_456, "312 kB"),
            (999_600, "1.0 MB"), (5_000_000_000, "5.0 GB"),
        ] as [(Int64, String)]) func bytesHaveUnits(value: Int64, text: String)
    { #expect(OutboxText.bytes(value) == text) }

    // MARK: Orders

    private func letter(_ id: String, _ topic: String, type: String = "sco.intervention.raised.v1") -> DeadLetter {
        DeadLetter(
            topic: topic, position: Position(epoch: 7, seq: 1), id: LaneUUID(hashing: [id]),
            headers: HeaderBlock([.init("ce_type", type)]), bytes: 1, created: WallInstant(milliseconds: 0),
            moved: WallInstant(milliseconds: 0), reason: "r")
    }

    @Test func theMessageThatIsMeantIsChosen() throws {
        let letters = [
            letter("a", "t"), letter("a", "u"), letter("b", "t"), letter("s", "l", type: "sco.lane.state.v1"),
        ]
        func choose(_ id: String, _ topic: String? = nil, _ deed: QuarantineOrder.Deed = .release) throws -> DeadLetter
        {
            let order = QuarantineOrder(id: id, topic: topic, deed)
            try order.check()
            return try order.choose(among: letters)
        }
        let (a, b, s) = (letters[0].id.description, letters[2].id.description, letters[3].id.description)
        #expect(try choose(b).topic == "t" && choose(b).id == letters[2].id)
        #expect(try choose(String(b.prefix(8)).uppercased()).id == letters[2].id)
        #expect(try choose(a, "u") == letters[1])
        #expect { try choose(a) } throws: {
            ($0 as? ControlFault)?.description.hasSuffix("add the topic: t, u") == true
        }
        #expect { try choose("zzzz") } throws: { ($0 as? ControlFault)?.reason == "unknown_message" }
        #expect { try choose(String(b.prefix(3))) } throws: {
            ($0 as? ControlFault)?.description.contains("too short") == true
        }
        // A state that is sent late would be the newest.
        #expect { try choose(s) } throws: { ($0 as? ControlFault)?.description.contains("discard it") == true }
        #expect(try choose(s, nil, .discard(why: "old")).id == letters[3].id)
    }

    @Test(arguments: ["", "  x ", "a\nb longer", String(repeating: "x", count: 501), "card 4111 1111 1111 1111"])
    func aReasonIsOneLineWithoutCards(why: String) {
        #expect(throws: ControlFault.self) { try QuarantineOrder(id: "5f0c", topic: nil, .discard(why: why)).check() }
    }

    @Test func whoDidWhatIsToldToTheAudit() throws {
        let messages = LaneMessages(identity: LaneIdentity(store: "0042", lane: "07"), rulesDigest: "sha256:x")
        let letter = letter("a", "t")
        let order = QuarantineOrder(id: "a", topic: nil, .discard(why: "test data"))
        let event = order.audit(letter, by: 0, at: WallInstant(milliseconds: 1000), messages)
        #expect(event.topic == "sco.audit" && event.isChained && event["ce_type"] == "sco.message.discarded.v1")
        let data = try JSONValue(parsing: event.value ?? [])
        #expect(data["uid"]?.int == 0 && data["user"]?.text == "root" && data["why"]?.text == "test data")
        #expect(data["id"]?.text == letter.id.description && data["sequence"]?.text == "00000700000000000001")
    }

    @Test(arguments: [
        ControlRequest.outbox, .release(id: "5f0c", topic: nil), .release(id: "5f0c", topic: "t"),
        .discard(id: "5f0c", topic: nil, why: "a \"word\""),
    ]) func requestsAreReadAsWritten(request: ControlRequest) throws {
        let line = request.line
        #expect(try line.withUnsafeBytes { try ControlRequest(parsing: $0) } == request)
    }

    @Test(arguments: [
        #"{"do":"release"}"#, #"{"do":"discard","id":"5f0c"}"#, #"{"do":"outbox","id":"5f0c"}"#,
        #"{"do":"release","id":"5f0c","why":"x"}"#, #"{"do":"release","id":5}"#,
    ]) func halfARequestIsRefused(line: String) {
        #expect(throws: ControlFault.self) {
            try Array(line.utf8).withUnsafeBytes { try ControlRequest(parsing: $0) }
        }
    }
}
