import Lane
import Loop
import Outbox
import Telemetry

/// What the pages say of the outbox.
extension AgentPages {
    /// How long after messages were given up for want of room it is still said. Milliseconds.
    private static let fullFor: Int64 = 600_000

    func outboxChecks() -> [HealthReport.Check] {
        guard let runner = agent.runner else { return [.init("outbox", .failed, "the lane is not watched")] }
        let state = agent.outbox.state
        var checks: [HealthReport.Check] = []
        if let trouble = state.trouble {
            // It is tried again by itself; what was answered is on disk, what was not waits in memory.
            checks.append(.init("outbox", .failed, trouble.description))
        } else if runner.room == 0 {
            checks.append(.init("outbox", .failed, "signals are dropped or refused: the disk is too slow"))
        } else if let last = state.lastFull,
            abs(Boottime.wallMilliseconds() - last.milliseconds) < Self.fullFor
        {
            checks.append(
                .init(
                    "outbox", .degraded,
                    "the outbox is full: the oldest messages of the least value are given up, and told of in their topics; "
                        + "bring the brokers back, or raise outbox: {max_mib}"))
        } else {
            let isSlow = runner.counts.held > runner.heldLimit / 2
            checks.append(.init("outbox", isSlow ? .degraded : .ok, isSlow ? "the disk is slow" : ""))
        }
        if let file = state.aside.last {
            checks.append(
                .init(
                    "outbox_aside", .degraded,
                    "a damaged outbox was set aside (\(state.aside.count) such files, the last is \(file)); what could be read "
                        + "was taken over; look into the disk, then remove the files"))
        }
        return checks
    }

    func collectOutbox(_ state: OutboxState, _ scrape: inout Scrape) {
        for (drop, count) in state.dropped { scrape.set(.outboxDropped, [drop.topic, drop.reason.rawValue], count) }
        scrape.set(.outboxUsed, [], Double(state.usedBytes))
        scrape.set(.outboxLimit, [], Double(agent.configuration.outbox.maximumBytes))
        scrape.set(.outboxFile, ["database"], Double(state.fileBytes))
        scrape.set(.outboxFile, ["log"], Double(state.logBytes))
        scrape.set(.outboxFile, ["aside"], Double(state.asideBytes))
        if let trouble = state.trouble { scrape.set(.outboxTrouble, [trouble.code.rawValue], 1) }
        scrape.set(.outboxReplaced, [], state.replacements)
        scrape.set(.outboxAside, [], state.aside.count)
    }
}
