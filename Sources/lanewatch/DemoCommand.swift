import Agent
import CommandLine
import Feeds
import Glibc
import Kafka
import Lane
import Loop
import Net
import Outbox
import Synchronization
import YAML

/// `lanewatch demo`: the agent, a simulated lane and a Kafka of three brokers in one process, for half a minute.
enum DemoCommand {
    private static let partitions = 6
    private static let brokers = 3

    static func perform(_ arguments: Arguments) -> Int32 {
        let milliseconds = arguments.duration(Table.length).map { $0.wholeMilliseconds } ?? 30_000
        let named = NamedRules(arguments.all(Table.demoRules))
        CheckCommand.show(named.diagnostics.filter { $0.severity == .error })
        guard let rules = named.rules else { return 1 }
        guard let folder = temporaryFolder() else {
            Terminal.error("lanewatch demo: no folder can be made below /tmp: \(SystemError("mkdtemp"))\n")
            return 1
        }
        defer { remove(folder) }
        do {
            return try run(milliseconds, rules, folder, arguments)
        } catch {
            Terminal.error("lanewatch demo: \(error)\n")
            return 1
        }
    }

    private static func run(
        _ milliseconds: Int64, _ rules: RuleFiles, _ folder: String, _ arguments: Arguments
    ) throws -> Int32 {
        let cluster = try MockCluster(brokers: brokers)
        var configuration = Configuration()
        configuration.identity = LaneIdentity(store: "demo", lane: "demo-1")
        configuration.stateFolder = folder + "/state"
        configuration.isSimulated = true
        configuration.metrics = nil
        var socket = Configuration.Socket()
        socket.path = folder + "/pos.sock"
        configuration.socket = socket
        let display = arguments[Table.demoScreen]
        var control = Configuration.Control()
        control.path = folder + "/control.sock"
        configuration.control = display == nil ? nil : control
        configuration.setKafka(["bootstrap.servers": cluster.bootstrap, "broker.address.family": "v4"])
        let topics = topics(of: configuration, rules)
        for topic in topics { try cluster.createTopic(topic, partitions: partitions, replicas: brokers) }

        let screen = DemoScreen()
        var hooks = LaneAgent.Hooks()
        hooks.onSignal = { screen.show($0) }
        hooks.onChange = { screen.show($0) }
        let agent = LaneAgent(
            configuration, rules: rules, outbox: try Outbox(OutboxConfiguration(configuration)),
            localTime: UTC(), hooks: hooks
        ) { notice in
            if notice.level >= .warning {
                let fields = notice.fields.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
                Terminal.error("lanewatch demo: \(notice.message) \(fields)\n")
            }
        }
        try Blocking.run { try await agent.start() }
        let view: DemoView?
        do {
            view = try display.map { display in
                try DemoView(
                    display: display, folder: folder, control: control.path, rules: arguments.all(Table.demoRules))
            }
        } catch {
            Blocking.run { await agent.stop() }
            throw error
        }
        screen.introduce(
            bootstrap: cluster.bootstrap, topics: topics, partitions: partitions, milliseconds: milliseconds, view)
        play(
            Simulation.events(milliseconds: milliseconds), for: milliseconds, at: socket.path,
            till: arguments[Table.demoTill])
        view?.stop()
        let summary = Blocking.value { await self.drain(agent) }
        Blocking.run { await agent.stop() }
        return screen.conclude(summary) ? 0 : 1
    }

    /// Every topic that a message may go to: the agent's own, and those that rules name.
    private static func topics(of configuration: Configuration, _ rules: RuleFiles) -> [String] {
        var topics = configuration.topics.all
        for rule in rules.set.rules {
            for topic in [rule.topic] + rule.escalations.map(\.topic) where !topics.contains(topic) {
                topics.append(topic)
            }
        }
        return topics
    }

    /// Writes the simulated POS application's lines to the socket when their time has come.
    private static func play(
        _ events: [Simulation.Event], for milliseconds: Int64, at path: String, till: String?
    ) {
        let begin = Boottime.milliseconds()
        func wait(until moment: Int64) {
            let left = begin + moment - Boottime.milliseconds()
            if left > 0 { usleep(useconds_t(min(left, 3_600_000) * 1000)) }
        }
        do throws(SignalClientError) {
            var client = try SignalClient(path: path)
            let screen = try till.map { path throws(LineClientError) in try DemoTill(path: path) }
            for event in events {
                wait(until: event.at)
                let answer = try client.send(Array(event.line.utf8))
                if let error = answer.error {
                    Terminal.error("lanewatch demo: the agent refused \(event.line): \(error)\n")
                }
                // After the agent knows: what is to be hidden is drawn later than what tells to hide it.
                screen?.show(event.line)
            }
        } catch {
            Terminal.error("lanewatch demo: \(error)\n")
        }
        wait(until: milliseconds)
    }

    struct Summary: Sendable {
        var signals = 0
        var raised = 0
        var cleared = 0
        var acknowledged = 0
        var slowestDetection = 0.0
        var depth = 0
    }

    /// Waits until all is delivered, at most 10 s, and counts.
    @LoopActor private static func drain(_ agent: LaneAgent) async -> Summary {
        var summary = Summary()
        for _ in 0..<200 {
            summary.depth = await agent.undelivered()
            if summary.depth == 0 { break }
            await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
                EventLoop.shared.schedule(inMilliseconds: 50) { done.resume() }
            }
        }
        if let runner = agent.runner {
            summary.signals = runner.counts.out
            summary.raised = runner.engine.counts.raised
            summary.cleared = runner.engine.counts.cleared
            summary.slowestDetection = runner.slowestDetection
        }
        summary.acknowledged = agent.pump?.counts.acknowledged ?? 0
        return summary
    }

    private static func temporaryFolder() -> String? {
        var template = Array(("/tmp/lanewatch-demo-" + String(repeating: "X", count: 6)).utf8CString)
        guard mkdtemp(&template) != nil else { return nil }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes what the demonstration made: files of known places, no walk through folders.
    private static func remove(_ folder: String) {
        for name in ["outbox.sqlite", "outbox.sqlite-wal", "outbox.sqlite-shm", "lock", "epoch", "mark", "suspect"] {
            unlink("\(folder)/state/\(name)")
        }
        rmdir(folder + "/state")
        for name in ["pos.sock", "control.sock"] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
}

extension Duration {
    /// Whole milliseconds, saturated.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        return overflow ? .max : product + attoseconds / 1_000_000_000_000_000
    }
}
