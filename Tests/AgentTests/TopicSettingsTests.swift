import Agent
import Delivery
import Lane
import Rules
import Testing

@Suite struct TopicSettingsTests {
    private func read(_ text: String) -> ConfigurationFile {
        let least = """
            format: 1
            store: "0042"
            lane: "07"
            rules: lane.yaml
            kafka: {bootstrap.servers: "127.0.0.1:9092"}

            """
        return ConfigurationFile(file: "l.yaml", bytes: Array((least + text).utf8))
    }

    private func rules(_ text: String) throws -> RuleSet {
        let (set, diagnostics) = RuleFile.load(files: [(name: "r.yaml", bytes: Array(text.utf8))])
        return try #require(set, "\(diagnostics.map { $0.rendered() })")
    }

    private static let rules = """
        format: 1
        rules:
          - {id: plain, on: help.requested, severity: info, clear_after: 1m}
          - {id: own, on: help.requested, severity: info, clear_after: 1m, topic: sco.b,
             escalate: [{after: 5s, severity: warning, topic: sco.a}]}
          - {id: meant, on: help.requested, severity: info, clear_after: 1m, topic: sco.interventions}
          - {id: shadow, on: help.requested, severity: info, clear_after: 1m, topic: sco.c, mode: shadow}
          - {id: off, on: help.requested, severity: info, clear_after: 1m, topic: sco.d, enabled: false}

        """

    @Test func whatIsNeededFollowsFromNamesAndRules() throws {
        let configuration = try #require(
            read("topics: {interventions: calls, attendant: said}\n").configuration)
        let needed = configuration.topicSettings.needed(configuration.topics, try rules(Self.rules))
        #expect(
            needed.map(\.name)
                == [
                    "calls", "sco.rules.shadow", "sco.lane-state", "sco.device-health", "sco.audit", "said", "sco.a",
                    "sco.b",
                ])
        #expect(needed.map(\.cleanup) == [.delete, .delete, .compact, .delete, .delete, .delete, .delete, .delete])
        let day: Int64 = 86_400_000
        #expect(needed.map(\.retention) == [30 * day, 7 * day, nil, 7 * day, 365 * day, 30 * day, 30 * day, 30 * day])
        #expect(needed.allSatisfy { $0.partitions == 12 && $0.replicas == 3 && $0.inSync == 2 })
    }

    @Test func nobodyNeedsAShadowTopicThatIsTurnedOff() throws {
        let configuration = try #require(read("topics: {shadow: false}\n").configuration)
        let needed = configuration.topicSettings.needed(configuration.topics, try rules(Self.rules))
        #expect(!needed.contains { $0.purpose == .shadow })
    }

    @Test func settingsForAllAndForOne() throws {
        let text = """
            topic_settings:
              partitions: 6
              replicas: 2
              min_insync: 1
              topics:
                sco.audit: {partitions: 3, retention: forever, replicas: 3, min_insync: 2}
                sco.a: {retention: 48h, cleanup: delete, max_message_bytes: 2000000}

            """
        let configuration = try #require(read(text).configuration, "\(read(text).diagnostics.map { $0.rendered() })")
        let needed = configuration.topicSettings.needed(configuration.topics, try rules(Self.rules))
        func topic(_ name: String) throws -> NeededTopic { try #require(needed.first { $0.name == name }) }
        let (audit, a, state) = (try topic("sco.audit"), try topic("sco.a"), try topic("sco.lane-state"))
        #expect(audit.partitions == 3 && audit.retention == nil && audit.replicas == 3 && audit.inSync == 2)
        #expect(audit.settings.contains { $0.key == "retention.ms" && $0.value == "-1" })
        #expect(a.partitions == 6 && a.retention == 172_800_000 && a.messageBytes == 2_000_000 && a.replicas == 2)
        #expect(state.partitions == 6 && state.inSync == 1 && state.cleanup == .compact)
        #expect(configuration.topicSettings.diagnostics(needed, read(text).source).isEmpty)
    }

    @Test func settingsOfATopicThatNobodyNeedsAreTold() throws {
        let file = read("topic_settings: {topics: {sco.audt: {partitions: 3}}}\n")
        let configuration = try #require(file.configuration)
        let needed = configuration.topicSettings.needed(configuration.topics, try rules(Self.rules))
        let said = configuration.topicSettings.diagnostics(needed, file.source)
        #expect(said.count == 1 && said.first?.message.contains("did you mean \"sco.audit\"?") == true)
        #expect(said.first?.range?.start.line == 6)
    }

    @Test(arguments: [
        ("topic_settings: {partitions: 0}", "must be 1 to 10000"),
        ("topic_settings: {min_insync: 4}", "no message would ever be taken"),
        ("topic_settings: {replicas: 1}", "\"min_insync\" (2) is more than \"replicas\" (1)"),
        ("topic_settings: {topics: {sco.audit: {cleanup: keep}}}", "cannot be \"keep\""),
        ("topic_settings: {topics: {sco.audit: {retention: 1s}}}", "must be at least 1m"),
        ("topic_settings: {topics: {sco.audit: {max_message_bytes: 1000}}}", "must be 1000000 to"),
        ("topic_settings: {topics: {\"a b\": {partitions: 1}}}", "a topic's name is made of"),
        ("topic_settings: {retention: 1h}", "unknown key \"retention\""),
        ("topics: {attendant: sco.audit}", "two of \"topics\" have the same name"),
    ])
    func faultsAreTold(text: String, said: String) {
        let file = read(text + "\n")
        #expect(file.configuration == nil)
        #expect(file.diagnostics.contains { $0.message.contains(said) }, "\(file.diagnostics.map(\.message))")
    }
}
