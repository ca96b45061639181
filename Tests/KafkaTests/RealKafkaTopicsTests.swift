import Foundation
import KafkaBed
import Loop
import Testing

@testable import Kafka

/// The admin API of a real cluster of three, whose brokers make every topic that a producer asks for.
@Suite(.serialized, .enabled(if: KafkaBed.home != nil), .timeLimit(.minutes(10))) struct RealKafkaTopicsTests {
    private func admin(_ cluster: KafkaBed) throws -> Admin {
        try Admin(ClientConfiguration(["bootstrap.servers": cluster.bootstrap]))
    }

    @Test func topicsAreMadeReadGrownAndDeleted() async throws {
        let cluster = try await KafkaBed(nodes: 3, properties: "auto.create.topics.enable=true\n")
        do {
            let admin = try admin(cluster)
            #expect(try await admin.brokers().map(\.id) == [1, 2, 3])
            try await askingMakesNothing(admin)
            try await aTrialMakesNothing(admin)
            try await whatIsMadeIsAsAsked(admin)
            try await eachRefusalIsItsOwn(admin)
            try await partitionsAreAddedAndTopicsDeleted(admin)
            try await oldMessagesAreRefusedByTheLanesClockAlone(admin, cluster)
            try await aProducerMakesNoTopicUnlessItIsAllowedTo(admin, cluster)
            try await aBrokerThatIsDownIsSeen(admin, cluster)
            await admin.close()
        } catch {
            await cluster.end()
            throw error
        }
        await cluster.end()
    }

    private func askingMakesNothing(_ admin: Admin) async throws {
        for _ in 0..<3 { #expect(try await admin.records(of: ["asked"])["asked"] == .missing) }
        let settings = try await admin.settings(ofTopics: ["asked"])["asked"]
        guard case .failure(let error)? = settings else {
            Issue.record("a topic that nobody made has settings: \(String(describing: settings))")
            return
        }
        #expect(error.name == "UNKNOWN_TOPIC_OR_PART")
        #expect(try await admin.settings(ofBroker: 2)["auto.create.topics.enable"] == "true")
    }

    private func aTrialMakesNothing(_ admin: Admin) async throws {
        let faults = try await admin.create(
            [NewTopic("trial", partitions: 2, replicas: 3), NewTopic("wide", partitions: 1, replicas: 4)], isTrial: true
        )
        #expect(Array(faults.keys) == ["wide"] && faults["wide"]?.isOfReplication == true)
        #expect(try await admin.records(of: ["trial"])["trial"] == .missing)
    }

    private func whatIsMadeIsAsAsked(_ admin: Admin) async throws {
        let settings: [ClientConfiguration.Setting] = [
            .init("min.insync.replicas", "2"), .init("retention.ms", "3600000"), .init("cleanup.policy", "compact"),
            .init("message.timestamp.type", "LogAppendTime"),
        ]
        #expect(try await admin.create([NewTopic("made", partitions: 7, replicas: 3, settings: settings)]) == [:])
        // Other brokers than the one that made it hear of it a moment later.
        var partitions: [PartitionRecord] = []
        #expect(
            try await until {
                if case .there(let all)? = try await admin.records(of: ["made"])["made"] { partitions = all }
                return partitions.count == 7 && partitions.allSatisfy { $0.leader != nil }
            })
        #expect(partitions.map(\.id) == Array(0..<7))
        #expect(partitions.allSatisfy { Set($0.replicas) == [1, 2, 3] && $0.replicas.contains($0.leader ?? 0) })
        // Settings may be asked of a broker that hears of it later still.
        var found: [String: String] = [:]
        #expect(
            try await until {
                switch try await admin.settings(ofTopics: ["made"])["made"] {
                case .success(let all)?: found = all
                case .failure(let error)? where error.isUnknownTopic: return false
                case .failure(let error)?: throw error
                case nil: return false
                }
                return true
            })
        for setting in settings { #expect(found[setting.key] == setting.value) }
        // The brokers' defaults come along.
        #expect(found["unclean.leader.election.enable"] == "false" && found["max.message.bytes"] == "1048588")
    }

    private func eachRefusalIsItsOwn(_ admin: Admin) async throws {
        let faults = try await admin.create([
            NewTopic("made", partitions: 1, replicas: 3), NewTopic("good", partitions: 1, replicas: 3),
            NewTopic("wide", partitions: 1, replicas: 4), NewTopic("a b", partitions: 1, replicas: 1),
            NewTopic("odd", partitions: 1, replicas: 1, settings: [.init("retention.ms", "long")]),
        ])
        #expect(Set(faults.keys) == ["made", "wide", "a b", "odd"])
        #expect(faults["made"]?.isTopicThere == true && faults["wide"]?.isOfReplication == true)
        #expect(faults["a b"]?.name == "TOPIC_EXCEPTION" && faults["odd"]?.name == "INVALID_CONFIG")
        // In the broker's words, which name the setting.
        #expect(faults["odd"]?.description.contains("retention.ms") == true, "\(String(describing: faults["odd"]))")
    }

    private func partitionsAreAddedAndTopicsDeleted(_ admin: Admin) async throws {
        try await admin.addPartitions(to: "good", count: 4)
        await #expect(throws: KafkaError.self) { try await admin.addPartitions(to: "good", count: 2) }
        #expect(
            try await until {
                if case .there(let all)? = try await admin.records(of: ["good"])["good"] {
                    all.count == 4
                } else {
                    false
                }
            })
        #expect(try await admin.delete(["good", "never"]).keys.sorted() == ["never"])
        #expect(try await until { try await admin.records(of: ["good"])["good"] == .missing })
    }

    /// Why topics are made with LogAppendTime: a message that is older than the topic takes, as one of a lane whose clock is wrong.
    private func oldMessagesAreRefusedByTheLanesClockAlone(_ admin: Admin, _ cluster: KafkaBed) async throws {
        for (topic, type, name) in [("lanes", "CreateTime", "INVALID_TIMESTAMP"), ("brokers", "LogAppendTime", "")] {
            let strict = NewTopic(
                topic, partitions: 1, replicas: 3,
                settings: [.init("message.timestamp.type", type), .init("message.timestamp.before.max.ms", "100")])
            #expect(try await admin.create([strict]) == [:])
            // It waits a second before it is sent.
            let report = try await send(to: topic, safe(cluster.bootstrap, ["linger.ms": "1000"]))
            #expect(report?.error?.name ?? "" == name, "\(String(describing: report))")
            if let error = report?.error { #expect(error.isOfClock && !error.isOfMessage) }
        }
    }

    @LoopActor private func send(to topic: String, _ configuration: ClientConfiguration) async throws -> DeliveryReport?
    {
        let listener = Listener()
        let producer = try Producer(configuration) { listener.take($0) }
        try producer.send(Message(topic: topic, key: "0042/07", value: [65]), opaque: 1)
        _ = await producer.flush(within: 60_000)
        producer.close()
        await producer.ended()
        return listener.reports.first
    }

    /// With allow.auto.create.topics=false a producer makes no topic, neither by asking for it nor by sending to it, whatever the
    /// brokers would do. Without, it does: else this shows nothing.
    @LoopActor private func aProducerMakesNoTopicUnlessItIsAllowedTo(_ admin: Admin, _ cluster: KafkaBed) async throws {
        for (topic, isAllowed) in [("not-by-writing", "false"), ("by-writing", "true")] {
            let producer = try Producer(safe(cluster.bootstrap, ["allow.auto.create.topics": isAllowed])) { _ in }
            _ = await producer.state(of: topic)
            try producer.send(Message(topic: topic, key: "0042/07", value: [65]), opaque: 1)
            _ = await producer.flush(within: isAllowed == "true" ? 60_000 : 4000)
            if isAllowed == "true" {
                #expect(try await isMade(topic, admin), "\(topic)")
            } else {
                #expect(try await admin.records(of: [topic])[topic] == .missing, "\(topic)")
            }
            producer.purge()
            producer.close()
            await producer.ended()
        }
    }

    private func isMade(_ topic: String, _ admin: Admin) async throws -> Bool {
        try await until { try await admin.records(of: [topic])[topic] != .missing }
    }

    private func aBrokerThatIsDownIsSeen(_ admin: Admin, _ cluster: KafkaBed) async throws {
        try await cluster.call("kill", "3")
        #expect(
            try await until {
                guard case .there(let all)? = try await admin.records(of: ["made"])["made"] else { return false }
                return all.allSatisfy { Set($0.inSync) == [1, 2] && $0.replicas.count == 3 && $0.leader != 3 }
            })
        #expect(try await until { try await admin.brokers().map(\.id) == [1, 2] })
        try await cluster.call("up", "3")
    }

    /// Asks again until the cluster has heard of it everywhere; bounded.
    private func until(_ isMet: () async throws -> Bool) async throws -> Bool {
        for _ in 0..<150 {
            if try await isMet() { return true }
            try await Task.sleep(for: .milliseconds(200))
        }
        return false
    }
}
