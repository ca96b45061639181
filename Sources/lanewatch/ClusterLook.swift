import Delivery
import Kafka

/// One look at the cluster of a plan, or one making of topics there.
struct ClusterLook: Sendable {
    let plan: TopicsCommand.Plan
    let admin: Admin

    init(_ plan: TopicsCommand.Plan) throws(KafkaError) {
        self.plan = plan
        admin = try Admin(plan.client)
    }

    func check() async throws(KafkaError) -> TopicsReport {
        let brokers = try await admin.brokers(within: plan.left)
        let records = try await admin.records(of: plan.needed.map(\.name), within: plan.left)
        let settings = await settings(plan.needed.map(\.name).filter { records[$0].map(Self.isThere) ?? false })
        let entries = plan.needed.map { needed in
            let record = records[needed.name] ?? .missing
            let comparison = TopicComparison(
                needed, record, settings: settings[needed.name], brokers: brokers.count, bootstrap: admin.bootstrap,
                principal: plan.principal)
            return TopicsReport.Entry(
                needed: needed, record: record, settings: settings[needed.name].flatMap { try? $0.get() } ?? [:],
                state: nil, differences: comparison.differences)
        }
        return TopicsReport(brokers: brokers, entries: entries, ofCluster: await ofCluster(brokers))
    }

    private static func isThere(_ record: TopicRecord) -> Bool {
        if case .there = record { return true }
        return false
    }

    /// The broker that is asked for settings may be another than the one that told of the topics, and hear of a new one a moment
    /// later: those that it does not know are asked for again.
    private func settings(_ topics: [String]) async -> [String: Result<[String: String], KafkaError>] {
        var found: [String: Result<[String: String], KafkaError>] = [:]
        var unknown = topics
        for round in 0..<10 where !unknown.isEmpty {
            if round > 0 { try? await Task.sleep(for: .milliseconds(200)) }
            do throws(KafkaError) {
                found.merge(try await admin.settings(ofTopics: unknown, within: plan.left)) { $1 }
            } catch {
                for topic in unknown { found[topic] = .failure(error) }
                break
            }
            unknown = topics.filter { if case .failure(let error)? = found[$0] { error.isUnknownTopic } else { false } }
            if plan.left < 500 { break }
        }
        return found
    }

    /// What holds for topics that are not there yet.
    private func ofCluster(_ brokers: [BrokerRecord]) async -> [TopicDifference] {
        guard let first = brokers.first else { return [] }
        do throws(KafkaError) {
            let settings = try await admin.settings(ofBroker: first.id, within: plan.left)
            guard settings["auto.create.topics.enable"] == "true" else { return [] }
            return [
                TopicDifference(
                    "", .warning, "auto.create.topics.enable", found: "true", wanted: "false",
                    what: "brokers make a topic when somebody asks for it (auto.create.topics.enable is true)",
                    why: "a topic that is missing, or misspelt, comes into being with the brokers' defaults (replicas "
                        + "\(settings["default.replication.factor"] ?? "1"), min.insync.replicas "
                        + "\(settings["min.insync.replicas"] ?? "1")), and nobody is told",
                    remedy:
                        "auto.create.topics.enable=false in server.properties of each broker, and a restart of one after the other"
                )
            ]
        } catch {
            guard error.isOfAuthority else { return [] }
            return [
                TopicDifference(
                    "", .note, "broker-settings", found: error.name,
                    what: "this client may not read the brokers' settings",
                    why: "whether they make topics by themselves (auto.create.topics.enable) is not known",
                    remedy:
                        "kafka-acls.sh --bootstrap-server \(admin.bootstrap) --add --allow-principal \(plan.principal) "
                        + "--operation DescribeConfigs --cluster")
            ]
        }
    }

    // MARK: Making

    func create(isTrial: Bool) async throws(KafkaError) -> TopicsReport {
        let brokers = try await admin.brokers(within: plan.left)
        let records = try await admin.records(of: plan.needed.map(\.name), within: plan.left)
        // One that may not be seen may be there or not: the cluster says so when it is to be made.
        let wanted = plan.needed.filter { !(records[$0.name].map(Self.isThere) ?? false) }
        let faults: [String: KafkaError] =
            wanted.isEmpty
            ? [:] : try await admin.create(wanted.map(\.newTopic), isTrial: isTrial, within: plan.left)
        if !isTrial { await seen(wanted.map(\.name).filter { faults[$0] == nil }) }
        let entries = plan.needed.map { needed -> TopicsReport.Entry in
            let record = records[needed.name] ?? .missing
            var entry = TopicsReport.Entry(
                needed: needed, record: record, settings: [:], state: .there, differences: [])
            guard wanted.contains(where: { $0.name == needed.name }) else { return entry }
            entry.record = .missing
            switch faults[needed.name] {
            case nil: entry.state = isTrial ? .wouldBeMade(needed.command(admin.bootstrap)) : .made
            case let fault? where fault.isTopicThere: entry.state = .there
            case let fault?:
                entry.state = .failed
                entry.differences = [refusal(needed, fault, brokers.count)]
            }
            return entry
        }
        return TopicsReport(brokers: brokers, entries: entries, ofCluster: [])
    }

    /// Waits a moment until the brokers that are asked know of what was made, so that a check right after finds it.
    private func seen(_ topics: [String]) async {
        for _ in 0..<20 where plan.left > 250 {
            guard let records = try? await admin.records(of: topics, within: plan.left) else { return }
            if records.values.allSatisfy(Self.isThere) { return }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func refusal(_ needed: NeededTopic, _ error: KafkaError, _ brokers: Int) -> TopicDifference {
        var remedy = "the brokers' logs say more; Kafka's own command would be: \(needed.command(admin.bootstrap))"
        if error.isOfReplication || brokers < needed.replicas {
            remedy =
                "the cluster has \(brokers) broker\(brokers == 1 ? "" : "s"): start more, or, where that is meant, say "
                + "topic_settings: {replicas: \(brokers), min_insync: \(min(needed.inSync, brokers))}"
        } else if error.isOfAuthority {
            remedy =
                "kafka-acls.sh --bootstrap-server \(admin.bootstrap) --add --allow-principal \(plan.principal) --operation "
                + "Create --operation Describe --topic \(needed.name); or have it made by somebody who may: "
                + needed.command(admin.bootstrap)
        }
        return TopicDifference(
            needed.name, .error, "create", found: error.name, what: "it cannot be made: \(error)",
            why: "what lanes have for it waits in their outboxes", remedy: remedy)
    }
}
