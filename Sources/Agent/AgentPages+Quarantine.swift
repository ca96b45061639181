import Delivery
import Telemetry

/// What the pages tell of the quarantine and of a backlog that goes down.
extension AgentPages {
    func quarantineChecks(_ pump: Pump) -> [HealthReport.Check] {
        let count = pump.quarantine.messages
        guard count > 0 else { return [] }
        let messages = count == 1 ? "1 message" : "\(count) messages"
        return [
            .init("quarantine", .degraded, "\(messages) that no broker takes; \"lanewatch outbox\" tells why")
        ]
    }

    func collectQuarantine(_ pump: Pump, _ scrape: inout Scrape) {
        let counts = pump.counts
        scrape.set(.quarantineMessages, [], pump.quarantine.messages)
        scrape.set(.quarantineBytes, [], Double(pump.quarantine.bytes))
        scrape.set(.quarantineResolved, ["released"], counts.released)
        scrape.set(.quarantineResolved, ["discarded"], counts.discarded)
        let drain = pump.drainNow
        scrape.set(.drainRate, [], drain?.perSecond ?? 0)
        scrape.set(.drainLeft, [], Double(drain?.secondsLeft ?? 0))
        scrape.set(.lostWakeUps, [], counts.lostWakeUps)
        scrape.set(.staleRestarts, [], counts.staleRecreations)
    }
}
