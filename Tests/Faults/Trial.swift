import FaultParts
import Foundation
import Kafka
import KafkaBed

/// One run: a lane of its own, its writer, its ledger, and the hand that does the harm.
final class Trial {
    let row: Row
    let seed: UInt64
    let settings: Settings
    let folder: String
    let topic: String
    let ledger = Ledger()
    var chance: Chance
    let lane: LaneProcess
    let writer: Writer
    private let kafkaStand: Stand?
    private let mockCluster: MockCluster?
    private let database: Database?

    var allowance = Allowance()
    private(set) var kills = 0
    private(set) var recreations = 0
    /// When everything was as it should be again.
    private(set) var healedAt: Date?
    /// What the log held of a topic before it was deleted.
    var earlier: [Record] = []
    var remark = ""

    init(_ row: Row, seed: UInt64, _ settings: Settings, stand: Stand?, database: Database?) throws {
        self.row = row
        self.seed = seed
        self.settings = settings
        kafkaStand = stand
        self.database = database
        chance = Chance(seed: seed)
        folder = try Places.folder()
        let lane = "f" + String(seed, radix: 36)
        topic = "sco.interventions." + lane
        mockCluster = row.bed == .mock ? try MockCluster(brokers: 3) : nil
        let login = row.bed == .kafka ? Stand.login : [:]
        self.lane = try LaneProcess(
            folder: folder, program: settings.lanewatch, lane: lane, topic: topic,
            bootstrap: mockCluster?.bootstrap ?? stand?.bootstrap ?? "", kafka: login.merging(row.kafka) { $1 })
        writer = Writer(socket: self.lane.socket, ledger: ledger, perSecond: row.rate ?? settings.rate)
        if row.isHasty {
            let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
            self.lane.standIn = [own, "hasty", folder + "/lanewatch.yaml", stand?.bootstrap ?? ""]
        }
        if let bytes = row.stateBytes {
            self.lane.through = [
                "/usr/bin/unshare", "-m", "/bin/sh", "-c",
                "mount -t tmpfs -o size=\(bytes),mode=700 tmpfs \"$0\" && exec \"$@\"", folder + "/state",
            ]
        }
    }

    // MARK: What rows use

    func stand() throws -> Stand {
        guard let kafkaStand else { throw Fault("\(row.name) has no real brokers") }
        return kafkaStand
    }

    func mock() throws -> MockCluster {
        guard let mockCluster else { throw Fault("\(row.name) has no mock brokers") }
        return mockCluster
    }

    func proxy() throws -> Proxy { try stand().proxy }

    func pause(_ seconds: Double) async throws { try await Task.sleep(for: .milliseconds(Int(seconds * 1000))) }

    /// Waits for a random while.
    func pause(_ range: ClosedRange<Double>) async throws { try await pause(chance.seconds(range)) }

    func killAgent() async throws {
        notePump()
        try await lane.end(SIGKILL)
        kills += 1
        allowance.resends += 1
    }

    func startAgent() async throws {
        try lane.launch()
        try await lane.awaitReady()
    }

    /// The agent ends in order, and gets its time for it.
    func stopAgent() async throws {
        notePump()
        try await lane.end(SIGTERM)
        // What was on its way at the end comes again.
        allowance.resends += 1
    }

    /// Waits until `test` holds, asked every 20 ms.
    func until(_ what: String, seconds: Double, _ test: () throws -> Bool) async throws {
        let end = Date(timeIntervalSinceNow: seconds)
        while try !test() {
            guard Date() < end else { throw Fault("\(what): not within \(seconds) s; the agent's log: \(lane.logEnd)") }
            try await pause(0.02)
        }
    }

    /// Waits until so many more signals are answered.
    func awaitAnswers(_ more: Int, seconds: Double = 60) async throws {
        let wanted = ledger.count + more
        try await until("\(more) more answers", seconds: seconds) { ledger.count >= wanted }
    }

    /// Waits until messages arrive.
    func awaitDelivery() async throws {
        if lane.standIn != nil { return try await awaitAnswers(100) }
        try await until("the first delivery", seconds: 60) {
            (lane.metric("lanewatch_delivery_acknowledged_total") ?? 0) > 50
        }
    }

    /// The producer's own counter begins anew with each life of the agent.
    private func notePump() {
        let count = Int(lane.metric("lanewatch_producer_restarts_total") ?? 0)
        recreations += count
        allowance.resends += count
    }

    // MARK: The run

    private func prepare() async throws {
        switch row.bed {
        case .kafka:
            try proxy().set(.open)
            if !row.makesTopic {
                try lane.makeTopics()
                try await stand().awaitWhole(topic)
            }
        case .mock:
            for name in [topic, "sco.rules.shadow", "sco.lane-state", "sco.device-health", "sco.audit"] {
                try mock().createTopic(name, partitions: 1, replicas: 3)
            }
        }
    }

    func run() async throws -> Entry {
        try await prepare()
        try await startAgent()
        writer.start()
        try await awaitAnswers(100)
        if !row.makesTopic { try await awaitDelivery() }
        try await row.act(self)
        if row.bed == .kafka { try proxy().set(.open) }
        healedAt = healedAt ?? Date()
        try await pause(1)
        try await writer.stop()
        try await awaitDrained()
        let drain = Date().timeIntervalSince(healedAt ?? Date())
        notePump()
        try await lane.end(SIGTERM)
        return try entry(drain)
    }

    /// Marks the end of the fault, where more is done after it.
    func heal() throws {
        if row.bed == .kafka { try proxy().set(.open) }
        healedAt = Date()
    }

    /// Until nothing waits, and everything that was raised has ended.
    private func awaitDrained() async throws {
        var zeros = 0
        try await until("the outbox is empty", seconds: 300) {
            let isEmpty =
                lane.standIn != nil
                ? lane.state.runs == 0
                : lane.metric("lanewatch_outbox_messages") == 0 && lane.metric("lanewatch_interventions_open") ?? 0 == 0
            zeros = isEmpty ? zeros + 1 : 0
            // Twice in a row, as an intervention may just be about to end.
            return zeros > 3
        }
    }

    private func entry(_ drain: Double) throws -> Entry {
        let bootstrap = try row.bed == .kafka ? stand().inner : mock().bootstrap
        var kept: [Record.Kind: Int] = [:]
        let found = try LogReader.records(bootstrap, topic, of: lane.lane) {
            [topic, isAgents = lane.standIn == nil] kind, key, headers, value in
            // Thousands of a run are of one kind: of those the first will do. A stand-in's are no agent's.
            kept[kind, default: 0] += 1
            guard RecordShelf.folder != nil, kept[kind, default: 0] <= 200, isAgents else { return }
            RecordShelf.keep(topic: topic, key: key, headers: headers, value: value)
        }
        let records = earlier + found
        allowance.withheld = lane.state.withheld
        allowance.setAside.formUnion(lane.state.numbersSetAside)
        let verdict = Judge.verdict(records, answered: ledger.answered, allowance)
        var entry = Entry(
            row: row.name, seed: seed, at: Date(), isGood: verdict.isClean != row.isControl, verdict: verdict)
        entry.drainSeconds = (drain * 100).rounded() / 100
        entry.kills = kills
        entry.recreations = recreations
        entry.remark = remark
        try judgeEffects(found, bootstrap, &entry)
        return entry
    }

    /// What an application sees: the same log through examples/consumer into PostgreSQL, each message once in effect.
    private func judgeEffects(_ records: [Record], _ bootstrap: String, _ entry: inout Entry) throws {
        let isKeyed = row.name != Row.withoutKey
        guard var database, row.bed == .kafka else { return }
        if !isKeyed { database = try Database() }
        defer { if !isKeyed { database.end() } }
        let firsts = Judge.firstAppearances(records)
        let expected = Database.Effects(
            messages: Set(records.map(\.position)).count, raised: firsts.count { $0.kind == .raised },
            cleared: firsts.count { $0.kind == .cleared })
        let source = "/stores/0042/lanes/\(lane.lane)"
        let (effects, alarm) = try database.read(bootstrap, topic, source: source, isKeyed: isKeyed)
        let isSame = effects == expected
        entry.consumer =
            isSame ? "PostgreSQL equal" : "PostgreSQL \(effects), expected \(expected)\(alarm.map { ": \($0)" } ?? "")"
        if !isKeyed {
            entry.isGood = !isSame
        } else if !row.isControl, !isSame {
            // A number of partitions that changes breaks the order that the consumer watches: it stops, as it must.
            entry.isGood = entry.isGood && row.mayStopTheConsumer && alarm != nil
        }
    }

    /// Nothing runs any more. The folder goes, unless somebody has to look at it.
    func end(keep: Bool) async {
        try? await writer.stop()
        try? await lane.end(SIGKILL)
        if keep {
            let text =
                "seed \(seed)\nanswered \(ledger.answered)\ndoubtful \(ledger.doubtful)\nrefused \(ledger.refused)\n"
            try? text.write(toFile: folder + "/ledger", atomically: true, encoding: .utf8)
        } else {
            try? FileManager.default.removeItem(atPath: folder)
        }
    }
}
