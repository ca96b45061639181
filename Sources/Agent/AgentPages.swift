import Feeds
import Kafka
import Lane
import Loop
import Net
import Rules
import Telemetry

/// `/metrics` and `/healthz` of an agent. Everything is read when a page is asked for; nothing is counted twice.
@LoopActor public final class AgentPages {
    public let metrics = Metrics()
    let agent: LaneAgent
    private let log: Log
    private var server: HTTPServer?

    public nonisolated init(_ agent: LaneAgent, log: Log) {
        self.agent = agent
        self.log = log
    }

    /// Listens, where the configuration wants it.
    public func start() throws(AgentError) {
        metrics.onScrape { [weak self] scrape in self?.collect(&scrape) }
        guard let listen = agent.configuration.metrics else { return }
        guard let address = ListenAddress(host: listen.address, port: listen.port) else {
            throw AgentError("metrics: \(listen.address) is no IP address; write 127.0.0.1 or ::1")
        }
        let pages = TelemetryPages(metrics) { [weak self] in self?.health() ?? HealthReport([]) }
        let server = HTTPServer(HTTPServer.Options(addresses: [address])) { pages.respond(to: $0) }
        do throws(HTTPServerError) { try server.start() } catch { throw AgentError("metrics: \(error)") }
        self.server = server
    }

    public func stop() {
        server?.stop()
        server = nil
    }

    // MARK: Health

    func health() -> HealthReport {
        var checks: [HealthReport.Check] = []
        checks += outboxChecks()
        if let pump = agent.pump {
            checks.append(Self.check(pump.link))
            checks += quarantineChecks(pump)
            for held in pump.heldTopics {
                checks.append(.init("topic \(held.topic)", .degraded, "not sent to: \(held.reason.rawValue)"))
            }
        }
        if agent.isRolledBack {
            checks.append(
                .init(
                    "rules", .degraded,
                    "the files' rules raised far too much and were rolled back; older ones are in force"))
        } else if agent.lastReloadWasRefused {
            checks.append(.init("rules", .degraded, "the newest rules were refused; older ones are in force"))
        }
        return HealthReport(checks)
    }

    // MARK: Metrics

    private func collect(_ scrape: inout Scrape) {
        ProcessReadings.collect(&scrape)
        scrape.set(.build, [Version.text, LibraryVersion.current.description], 1)
        scrape.set(.wakeUps, [], EventLoop.shared.wakeUps)
        for check in health().checks {
            scrape.set(.health, [check.name], check.state == .ok ? 2 : check.state == .degraded ? 1 : 0)
        }
        for (level, count) in log.counts.written { scrape.set(.logRecords, [level.name], count) }
        scrape.set(.logDropped, [], log.counts.dropped)
        for (status, count) in server?.counts.answers ?? [:] { scrape.set(.pages, ["\(status)"], count) }
        for feed in agent.feeds {
            scrape.set(stage: "feed_\(feed.kind.rawValue)", feed.counts)
            if let socket = feed as? SocketFeed {
                scrape.set(stage: "socket_connections", socket.connectionCounts)
                scrape.set(.attributesIgnored, [feed.kind.rawValue], socket.ignoredAttributes)
            }
        }
        if let control = agent.controlCounts {
            scrape.set(stage: "control", control.requests)
            scrape.set(stage: "control_connections", control.connections)
        }
        if let recorder = agent.recorder { scrape.set(stage: "recording", recorder.counts) }
        collectRunner(&scrape)
        collectDelivery(&scrape)
        scrape.set(.reloads, ["taken"], agent.reloads)
        scrape.set(.reloads, ["refused"], agent.refusedReloads)
        scrape.set(.rollbacks, [], agent.rollbacks)
        if let trial = agent.runner?.rollout?.trial {
            scrape.set(.trialRaised, [], trial.raised)
            scrape.set(.trialLimit, [], trial.limit)
        }
    }

    private func collectRunner(_ scrape: inout Scrape) {
        guard let runner = agent.runner else { return }
        scrape.set(stage: "merge", runner.counts)
        for (kind, count) in runner.gaps { scrape.set(.gaps, [kind.rawValue], count) }
        for (change, counts) in runner.changeCounts {
            scrape.set(.interventions, [change.rule, change.kind.rawValue], counts)
        }
        var open: [Severity: Int] = [:]
        for intervention in runner.engine.active where !intervention.shadow {
            open[intervention.severity, default: 0] += 1
        }
        for severity in Severity.allCases { scrape.set(.interventionsOpen, [severity.name], open[severity] ?? 0) }
        for type in SignalCatalogue.shipped.types where runner.signalCounts[Int(type.index)] > 0 {
            scrape.set(.signals, [type.name], runner.signalCounts[Int(type.index)])
        }
        for (device, isThere) in runner.devices { scrape.set(.devicesAttached, [device], isThere ? 1 : 0) }
        collectRules(runner.engine, &scrape)
        scrape.set(.verdictsStray, [], runner.engine.counts.strayVerdicts)
        scrape.set(.rulesLoaded, [runner.engine.table.digest], runner.engine.table.ruleCount)
        scrape.set(.detection, [], counts: agent.detection.counts, sum: agent.detection.sum)
        let counts = runner.engine.counts
        for (reason, count) in [
            ("cooldown", counts.suppressedByCooldown), ("silence", counts.suppressedBySilence),
            ("at", counts.suppressedByTime),
            ("muted", counts.suppressedByMute), ("limit", counts.suppressedByLimit),
        ] { scrape.set(.suppressed, [reason], count) }
        scrape.set(.droppedByGap, [], counts.droppedByGap)
        scrape.set(.assumed, [], counts.assumed)
        scrape.set(.lateTimers, [], counts.lateTimers)
        for limit in EngineLimit.allCases { scrape.set(.ruleLimits, [limit.rawValue], counts[limit]) }
        scrape.set(.outboxFailures, ["commit"], runner.commitFailures)
        scrape.set(.outboxCommits, [], runner.commits)
        scrape.set(.outboxCommitSeconds, [], Double(runner.commitNanoseconds) / 1e9)
    }

    /// A series a rule: as many as the set has rules.
    private func collectRules(_ engine: RuleEngine, _ scrape: inout Scrape) {
        engine.forEachRule { rule in
            scrape.set(.ruleInfo, [rule.id, rule.severity.name, rule.isShadow ? "shadow" : "on"], 1)
            scrape.set(.ruleFired, [rule.id], rule.tally.fired)
            scrape.set(.ruleActive, [rule.id], rule.activeCount)
            if let last = rule.tally.lastFired {
                scrape.set(.ruleLastFired, [rule.id], Double(last.milliseconds) / 1000)
            }
            for verdict in Verdict.allCases where rule.tally[verdict] > 0 {
                scrape.set(.ruleVerdicts, [rule.id, verdict.rawValue], rule.tally[verdict])
            }
        }
    }

    private func collectDelivery(_ scrape: inout Scrape) {
        guard let pump = agent.pump else { return }
        let counts = pump.counts
        // What the outbox has taken and the brokers have not acknowledged: right at any moment, without asking the disk.
        let outbox = agent.outbox.state
        scrape.set(.outboxMessages, [], max(0, pump.undelivered - outbox.missing))
        collectOutbox(outbox, &scrape)
        scrape.set(.outboxOldest, [], Double(pump.oldestAge) / 1000)
        collectLink(pump, &scrape)
        var delivery = StageCounts()
        delivery.in = counts.handedOver
        delivery.out = counts.acknowledged
        if counts.returned > 0 { delivery.drop("returned", counts.returned) }
        delivery.held = counts.inFlight
        scrape.set(stage: "delivery", delivery)
        scrape.set(.handedOver, [], counts.handedOver)
        scrape.set(.acknowledged, [], counts.acknowledged)
        scrape.set(.returned, [], counts.returned)
        scrape.set(.inFlight, [], counts.inFlight)
        for (error, count) in counts.failed { scrape.set(.deliveryFailures, [error], count) }
        scrape.set(
            .acknowledgeDelay, [], counts: counts.acknowledgeLatency.counts,
            sum: counts.acknowledgeLatency.sumMilliseconds / 1000)
        scrape.set(
            .deliveryDelay, [], counts: counts.deliveryLatency.counts,
            sum: counts.deliveryLatency.sumMilliseconds / 1000)
        scrape.set(.deadLetters, [], counts.deadLetters)
        collectQuarantine(pump, &scrape)
        scrape.set(.unreadable, [], counts.unreadable)
        scrape.set(.producerRestarts, [], counts.recreations)
        for held in pump.heldTopics { scrape.set(.topicsHeld, [held.topic, held.reason.rawValue], 1) }
    }
}
