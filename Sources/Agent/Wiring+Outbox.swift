import Lane
import Loop
import Outbox

/// The outbox over years: its regular look, and what is told when it had to be begun anew.
extension LaneAgent {
    /// How often the outbox looks after itself. Milliseconds.
    static let upkeepEvery: Int64 = 60_000

    func startUpkeep() {
        upkeep = EventLoop.shared.schedule(inMilliseconds: Self.upkeepEvery) { [weak self] in
            Task { [weak self] in await self?.lookAfterOutbox() }
        }
    }

    private func lookAfterOutbox() async {
        guard !isStopped else { return }
        do throws(OutboxError) {
            for notice in try await outbox.upkeep() { log(notice) }
        } catch {
            log(Notice(.warning, "the outbox could not be looked after", [.init("error", error.description)]))
        }
        guard !isStopped else { return }
        if let runner { tellReplacements(runner) }
        startUpkeep()
    }

    /// A new outbox was begun under the running agent: what a restart needs is kept in it with the next commit.
    func keepAnew() {
        guard let runner else { return }
        runner.batch.facts[Facts.rules] = .some(rules.kept)
        runner.batch.facts[Facts.provenRules] = .some(proven.kept)
        runner.batch.facts[Facts.configuration] = .some(Array(configuration.digest.utf8))
        if let viewDesk { runner.batch.facts[Facts.viewTold] = .some(viewDesk.known) }
        runner.rollout?.isDirty = true
        tellReplacements(runner)
    }

    /// An alarm each: in the log, and to those who watch over the lanes.
    func tellReplacements(_ runner: LaneRunner) {
        for replacement in outbox.takeReplacements() {
            // What was found at the start stands in the log already.
            if outbox.notices.isEmpty || outbox.notices != [replacement.notice] { log(replacement.notice) }
            runner.audit("sco.outbox.replaced.v1", subject: "outbox") { json in
                json.member("cause", replacement.cause)
                json.member("aside", orNull: replacement.aside)
                json.member("formerEpoch", replacement.formerEpoch)
                json.member("epoch", replacement.epoch)
                json.member("salvaged", replacement.salvaged.messages)
                json.member("lost", replacement.salvaged.lost)
                json.member("checkpoint", replacement.salvaged.hasCheckpoint)
                json.member("at", replacement.at)
            }
        }
    }
}

extension OutboxConfiguration {
    /// As `configuration` says.
    public init(_ configuration: Configuration) {
        self.init(
            folder: configuration.stateFolder, maximumBytes: configuration.outbox.maximumBytes,
            whenFull: configuration.outbox.whenFull, maximumAge: configuration.outbox.maximumAge,
            values: [
                configuration.topics.deviceHealth: .health, configuration.topics.laneState: .state,
                configuration.topics.shadow: .shadow, configuration.topics.audit: .audit,
            ])
    }
}
