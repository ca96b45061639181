import Agent
import CommandLine
import Glibc
import Kafka
import Lane
import Loop
import Verify

/// `lanewatch verify`: reads topics and says whether every message is there, in order.
enum VerifyCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        guard let plan = VerifyPlan(arguments) else { return 2 }
        let consumer: Consumer
        do throws(KafkaError) { consumer = try Consumer(plan.connection) } catch {
            VerifyPlan.fault("librdkafka \(LibraryVersion.current) says: \(error)")
            return 2
        }
        defer { consumer.close() }
        let (spans, topics, missing) = spans(plan, consumer)
        guard let spans, !topics.isEmpty else { return 2 }
        var verifier = Verifier(topics: topics, settings: plan.settings, schemas: plan.schemas)
        let began = Boottime.milliseconds()
        let isRead = read(spans, topics, consumer, &verifier)
        let report = VerifyReport(verifier, isStrict: arguments.has(Table.verifyStrict))
        let absent = plan.settings.lanes.subtracting(report.streams.map(\.lane)).sorted()
        if arguments.has(Table.json) {
            var json = JSONWriter()
            report.write(to: &json)
            Terminal.out(json.text)
        } else {
            show(report)
            rate(report.records, Boottime.milliseconds() - began)
        }
        for lane in absent { VerifyPlan.fault("no message of lane \(lane) was found") }
        guard isRead, !missing, absent.isEmpty else { return 2 }
        return report.isClean ? 0 : 1
    }

    /// What there is to read now. A topic that is not there is told, and the others are read all the same.
    private static func spans(
        _ plan: VerifyPlan, _ consumer: Consumer
    ) -> (spans: [Consumer.Span]?, topics: [String], isMissing: Bool) {
        var isMissing = false
        do throws(KafkaError) {
            var topics: [String]
            if let named = plan.topics {
                topics = named
            } else {
                topics = try consumer.topicNames().filter { $0.hasPrefix("sco.") && $0 != TopicNames().attendant }
            }
            if topics.isEmpty {
                VerifyPlan.fault("the cluster has no topic that begins with \"sco.\": name one by --topic")
            }
            var spans: [Consumer.Span] = []
            var found: [String] = []
            for topic in topics {
                switch consumer.state(of: topic) {
                case .unreachable(let error):
                    VerifyPlan.fault("no broker answers: \(words(error))")
                    return (nil, [], true)
                case .ready:
                    found.append(topic)
                    spans += try consumer.spans(of: topic, since: plan.since)
                case .unknown: VerifyPlan.fault("the topic \(topic) is not there; the others are read")
                case .notAuthorised: VerifyPlan.fault("the topic \(topic) may not be read with these credentials")
                }
            }
            isMissing = found.count < topics.count
            topics = found
            return (spans, topics, isMissing)
        } catch {
            VerifyPlan.fault("the topics cannot be looked at: \(words(error))")
            return (nil, [], true)
        }
    }

    /// What it is and what to do, where that is known; else librdkafka's words.
    private static func words(_ error: KafkaError) -> String {
        guard let fault = LinkFault(error) else { return error.description }
        guard fault.cause == .other else { return fault.sentence }
        return "\(error); look for a firewall between, a wrong address, a broker that hangs: \"lanewatch doctor\" "
            + "tries each step"
    }

    /// - Returns: whether all was read.
    private static func read(
        _ spans: [Consumer.Span], _ topics: [String], _ consumer: Consumer, _ verifier: inout Verifier
    ) -> Bool {
        let places = Dictionary(topics.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { a, _ in a })
        let topicOfSpan = spans.map { places[$0.topic] ?? 0 }
        let progress = Progress("verifying", total: spans.reduce(0) { $0 + $1.count }, unit: .messages)
        defer { progress.end() }
        var unshown = 0
        do throws(KafkaError) {
            try consumer.read(spans) { record in
                verifier.take(SeenRecord(record, topic: topicOfSpan[record.span]))
                unshown += 1
                if unshown == 1000 {
                    progress.add(unshown)
                    unshown = 0
                }
                return true
            }
            return true
        } catch {
            progress.end()
            VerifyPlan.fault("not all could be read: \(error)")
            return false
        }
    }

    private static func show(_ report: VerifyReport) {
        let rows = report.rows()
        if !rows.isEmpty {
            Terminal.out(TextColumns.text([VerifyReport.columns] + rows, rightAligned: VerifyReport.numeric))
            let hidden = report.streams.count - rows.count
            if hidden > 0 { Terminal.out("and \(hidden) more of which there is nothing to say\n") }
            Terminal.out("\n")
        }
        let faults = report.faults()
        for line in faults { Terminal.out(line + "\n") }
        if !faults.isEmpty { Terminal.out("\n") }
        Terminal.out(Terminal.coloured(report.summary, report.isClean ? "32" : "31") + "\n")
    }

    /// For who waited long, on standard error: a summary stays the last line of the output.
    private static func rate(_ records: Int64, _ milliseconds: Int64) {
        guard milliseconds >= 1000 else { return }
        Terminal.error("\(records) records in \(milliseconds / 1000) s, \(records * 1000 / milliseconds) a second\n")
    }
}

extension SeenRecord {
    fileprivate init(_ record: ConsumedRecord, topic: Int) {
        self.init(
            topic: topic, partition: record.partition, offset: record.offset,
            timestamp: record.timestamp?.milliseconds, key: record.key, value: record.value)
        record.forEachHeader { name, value in add(header: name, value) }
    }
}
