import Delivery
import Kafka
import Lane
import Telemetry

/// The link to Kafka on the agent's pages.
extension AgentPages {
    static func check(_ link: Link) -> HealthReport.Check {
        guard !link.sentence.isEmpty else { return .init("kafka", .ok) }
        let since = WallInstant(milliseconds: link.since).rfc3339
        return .init("kafka", .degraded, "\(link.sentence). Since \(since); messages are kept")
    }

    func collectLink(_ pump: Pump, _ scrape: inout Scrape) {
        let link = pump.link
        for state in Link.State.allCases { scrape.set(.linkState, [state.rawValue], state == link.state ? 1 : 0) }
        if link.state == .down {
            scrape.set(.linkFault, [link.fault?.cause.rawValue ?? "unknown", link.fault?.broker ?? ""], 1)
        }
        if link.since > 0 { scrape.set(.linkSince, [], Double(link.since) / 1000) }
        for (cause, count) in pump.linkFaults { scrape.set(.linkFaults, [cause.rawValue], count) }
        scrape.set(.brokersUp, [], pump.brokers.up)
    }
}
