import Agent
import CommandLine
import Delivery
import Kafka
import Lane
import Loop
import YAML

/// `lanewatch topics check` and `lanewatch topics create`: the topics on the cluster of a configuration.
enum TopicsCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let isCreating = arguments.path.last == Table.topicsCreate.name
        let title = "lanewatch \(arguments.path.joined(separator: " "))"
        guard let plan = Plan(arguments, isCreating ? "topics create" : "topics check") else { return 2 }
        let outcome: Result<TopicsReport, KafkaError> = Blocking.value {
            do throws(KafkaError) {
                let look = try ClusterLook(plan)
                return .success(try await isCreating ? look.create(isTrial: arguments.has(Table.dryRun)) : look.check())
            } catch {
                return .failure(error)
            }
        }
        switch outcome {
        case .success(let report):
            Terminal.out(arguments.has(Table.topicsJSON) ? report.json : report.text)
            return report.isGood ? 0 : 1
        case .failure(let error):
            Terminal.error("\(title): \(error)\n\(plan.wayOut(error))")
            return 2
        }
    }

    /// What is needed, of whom, and how long it may take.
    struct Plan: Sendable {
        let client: ClientConfiguration
        let needed: [NeededTopic]
        /// Who the cluster takes this client for, as far as can be told from here.
        let principal: String
        /// Of `Boottime`.
        let end: Int64

        /// Nil, with everything told, where the configuration or its rules are wrong.
        init?(_ arguments: Arguments, _ command: String) {
            guard let named = NamedConfiguration(arguments[Table.config] ?? "", for: command) else { return nil }
            guard let configuration = named.configuration, let rules = named.rules,
                !named.diagnostics.contains(where: { $0.severity == .error })
            else {
                for diagnostic in named.diagnostics {
                    Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
                }
                return nil
            }
            needed = configuration.topicSettings.needed(configuration.topics, rules.set)
            for diagnostic in configuration.topicSettings.diagnostics(needed, named.source) {
                Terminal.error(diagnostic.rendered(coloured: Terminal.isColoured(2)))
            }
            client = KafkaSettings.producer(configuration)
            principal = Self.principal(client)
            let limit = arguments.duration(Table.topicsTimeout) ?? .seconds(15)
            end =
                Boottime.milliseconds() + limit.components.seconds * 1000
                + limit.components.attoseconds / 1_000_000_000_000_000
        }

        private static func principal(_ client: ClientConfiguration) -> String {
            if let name = client["sasl.username"] ?? client["sasl.user"] { return "User:\(name)" }
            let isTLS = client["security.protocol"]?.lowercased() == "ssl"
            return isTLS ? "User:NAME-IN-THE-CERTIFICATE" : "User:ANONYMOUS"
        }

        var left: Int64 { max(1, end - Boottime.milliseconds()) }

        /// A line on what to look at.
        func wayOut(_ error: KafkaError) -> String {
            if error.isOfAuthority {
                let scram = LibraryVersion.current.scramWarning(for: client.settings).map { $0 + "\n" } ?? ""
                return
                    "The cluster refuses this client: see sasl.* and security.protocol under kafka: in the configuration.\n"
                    + scram
            }
            if error.isOfCertificate {
                return
                    "See ssl.* and security.protocol under kafka: in the configuration, and the brokers' certificates.\n"
            }
            return
                "Expected: Kafka brokers at bootstrap.servers of the configuration, which this machine can resolve and reach.\n"
        }
    }
}
