import Kafka
import Testing

@testable import Delivery

/// What is said of a topic that is not as lanes need it.
@Suite struct TopicComparisonTests {
    /// As Kafka 4.2 tells of a topic that `lanewatch topics create` made.
    private static let good = [
        "cleanup.policy": "delete", "retention.ms": "2592000000", "retention.bytes": "-1", "min.insync.replicas": "2",
        "unclean.leader.election.enable": "false", "max.message.bytes": "1048588",
        "message.timestamp.type": "LogAppendTime", "message.timestamp.after.max.ms": "3600000",
    ]

    private func partitions(
        _ count: Int = 12, replicas: [Int32] = [1, 2, 3], inSync: [Int32]? = nil, leader: Int32? = 1
    ) -> [PartitionRecord] {
        (0..<count).map {
            PartitionRecord(id: Int32($0), leader: leader, replicas: replicas, inSync: inSync ?? replicas)
        }
    }

    private func differences(
        _ changes: [String: String] = [:], _ purpose: NeededTopic.Purpose = .interventions,
        _ partitions: [PartitionRecord]? = nil, brokers: Int = 3
    ) -> [TopicDifference] {
        TopicComparison(
            NeededTopic("t", purpose), .there(partitions ?? self.partitions()),
            settings: .success(Self.good.merging(changes) { $1 }), brokers: brokers, bootstrap: "k:9092",
            principal: "User:lane"
        ).differences
    }

    @Test func aTopicAsItShouldBeHasNone() {
        #expect(differences() == [])
        #expect(differences(["cleanup.policy": "compact"], .laneState) == [])
        // Kept by age alone, of which there is none for what is compacted.
        #expect(differences(["cleanup.policy": "compact", "retention.ms": "1"], .laneState) == [])
    }

    @Test(arguments: [
        ("cleanup.policy", "compact", "error", "history is lost"),
        ("cleanup.policy", "compact,delete", "error", "history is lost"),
        ("min.insync.replicas", "1", "error", "an acknowledged message may be lost with one broker"),
        ("min.insync.replicas", "3", "warning", "with one broker down, or restarted, nothing is taken"),
        ("min.insync.replicas", "4", "error", "no message is ever taken"),
        ("unclean.leader.election.enable", "true", "error", "acknowledged messages are lost"),
        ("retention.ms", "604800000", "warning", "misses them for good"),
        ("retention.ms", "-1", "note", "nothing is lost by it"),
        ("retention.ms", "2592000001", "note", "nothing is lost by it"),
        ("retention.bytes", "1073741824", "warning", "before anybody has read them"),
        ("max.message.bytes", "65536", "error", "are refused"),
        ("message.timestamp.type", "CreateTime", "warning", "more than 1 h ahead is refused"),
    ])
    func eachSettingIsToldWithWhatComesOfIt(key: String, value: String, level: String, why: String) throws {
        let found = differences([key: value])
        let one = try #require(found.first)
        #expect(found.count == 1 && one.key == key && one.found == value)
        #expect(one.level.rawValue == level)
        #expect(one.why.contains(why), "\(one.why)")
        #expect(one.remedy.contains("kafka-configs.sh --bootstrap-server k:9092 --alter --entity-type topics"))
        #expect(one.remedy.contains("--entity-name t --add-config \(key)="))
    }

    @Test func aStateTopicThatForgetsIsToldByHowMuch() {
        #expect(differences(["cleanup.policy": "delete"], .laneState).map(\.level) == [.error])
        #expect(differences(["cleanup.policy": "compact,delete"], .laneState).map(\.level) == [.warning])
    }

    @Test func clocksMatterLittleWhereNothingIsRefused() {
        let endless = ["message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": "9223372036854775807"]
        #expect(differences(endless).map(\.level) == [.note])
    }

    @Test func anotherNumberOfPartitionsIsGoodAndSaysNeverToChangeIt() throws {
        let one = try #require(differences([:], .interventions, partitions(6)).first)
        #expect(one.level == .note && one.found == "6" && one.wanted == "12")
        #expect(one.remedy.contains("leave the topic alone"))
        #expect(one.remedy.contains("topic_settings: {topics: {t: {partitions: 6}}}"))
    }

    @Test func fewerReplicas() throws {
        let two = differences([:], .interventions, partitions(replicas: [1, 2]))
        #expect(two.map(\.key) == ["replicas", "min.insync.replicas"] && two.map(\.level) == [.warning, .warning])
        // Two of one can never be: only the replicas are to be mended.
        let one = differences(["min.insync.replicas": "1"], .interventions, partitions(replicas: [1]), brokers: 1)
        #expect(one.map(\.key) == ["replicas"] && one.first?.level == .error)
        #expect(one.first?.remedy.contains("topic_settings: {replicas: 1, min_insync: 1}") == true)
    }

    @Test func replicasThatAreDown() {
        let behind = differences([:], .interventions, partitions(12, inSync: [1, 3]))
        #expect(behind.map(\.key) == ["in-sync"])
        #expect(behind.first?.what == "every partition has replicas that are down or behind")
        #expect(behind.first?.remedy == "see to the brokers 2")
        var some = partitions(12)
        for place in [3, 7] { some[place].inSync = [3] }
        let few = differences([:], .interventions, some)
        #expect(few.map(\.what) == ["the partitions 3, 7 have replicas that are down or behind"])
        #expect(few.first?.remedy == "see to the brokers 1, 2")
        let headless = differences([:], .interventions, partitions(12, inSync: [2], leader: nil))
        #expect(headless.map(\.key) == ["leader"] && headless.first?.level == .error)
        #expect(headless.first?.remedy.hasSuffix("1, 2, 3") == true)
    }

    @Test func whatMayNotBeSeenNamesTheRightThatIsMissing() {
        func look(_ record: TopicRecord, _ settings: Result<[String: String], KafkaError>?) -> [TopicDifference] {
            TopicComparison(
                NeededTopic("t", .audit), record, settings: settings, brokers: 3, bootstrap: "k:9092",
                principal: "User:lane"
            ).differences
        }
        #expect(look(.missing, nil).map(\.remedy) == ["lanewatch topics create"])
        let hidden = look(.notAuthorised, nil)
        #expect(hidden.map(\.level) == [.error])
        #expect(hidden.first?.remedy.contains("--allow-principal User:lane --operation Describe ") == true)
        // 29: TOPIC_AUTHORIZATION_FAILED
        let closed = look(.there(partitions()), .failure(KafkaError(code: 29)))
        #expect(closed.map(\.level) == [.warning])
        #expect(closed.first?.remedy.hasSuffix("--operation DescribeConfigs --topic t") == true)
        #expect(look(.failed(KafkaError(code: 3)), nil).map(\.level) == [.error])
    }

    /// What is made is what is wanted: compared with itself nothing differs.
    @Test(arguments: NeededTopic.Purpose.allCases)
    func whatIsMadeIsWhatIsNeeded(purpose: NeededTopic.Purpose) {
        let needed = NeededTopic("t", purpose)
        let settings = Dictionary(uniqueKeysWithValues: needed.settings.map { ($0.key, $0.value) })
        let comparison = TopicComparison(
            needed, .there(partitions(needed.partitions)), settings: .success(settings), brokers: 3, bootstrap: "k")
        #expect(comparison.differences == [])
        #expect(needed.messageBytes >= NeededTopic.largestRequest)
        #expect(
            needed.command("k").contains("--topic t --partitions 12 --replication-factor 3 --config cleanup.policy="))
    }
}
