import Kafka
import Lane
import Loop
import Outbox

/// What the producer says, and settling what is acknowledged.
extension Pump {
    func take(_ event: ProducerEvent, of spoken: UInt64) {
        guard spoken == instance else { return }
        switch event {
        case .reports(let reports): take(reports)
        case .statistics(let json):
            statistics = json
            linkState.count(up: brokers.up, now: Boottime.milliseconds())
            tellLink()
        case .log(let level, let facility, let text):
            if let fault = LinkFault(facility: facility, text: text) {
                linkState.take(
                    fault, isAllDown: false, isCounted: facility == "FAIL", now: Boottime.milliseconds())
            }
            // Each failed connection also comes as an error, and is told once by `tellLink`.
            guard !["FAIL", "SSLCERTVRFY", "REQTMOUT", "ERROR"].contains(facility) else { return }
            // That the gapless guarantee is experimental is known: it is tested with every version.
            guard level <= 5, !(facility == "CONFWARN" && text.contains("enable.gapless.guarantee")) else { return }
            say(level <= 3 ? .warning : .info, "librdkafka", facility, text, field: "kafka.log")
        case .error(let error):
            if !takeLinkError(error) { say(error) }
            if error.isFatal { fail(error, nil, nil) }
        }
    }

    private func take(_ reports: [DeliveryReport]) {
        let now = Boottime.nanoseconds()
        let wall = Boottime.wallMilliseconds()
        var failure: (error: KafkaError, place: Int, position: Position)?
        for report in reports {
            let (spoken, place, ticket) = Opaque.unpack(report.opaque)
            guard spoken == instance & Opaque.instanceMask, place < channels.count else { continue }
            guard let error = report.error else {
                learnPartition(report.partition, place)
                acknowledge(ticket, place, now, wall)
                continue
            }
            counts.failed[error.name, default: 0] += 1
            if report.isPossiblyPersisted { counts.duplicatesPossible += 1 }
            guard let entry = channels[place].window.entry(ticket) else { continue }
            if !error.isPurge { remember(error, place, entry.position) }
            if failure == nil || (failure?.error.isPurge == true && !error.isPurge) {
                failure = (error, place, entry.position)
            }
        }
        if let failure { fail(failure.error, failure.place, failure.position) }
        // Room was made, and any topic may have waited for it.
        advanceAll()
    }

    private func acknowledge(_ ticket: UInt64, _ place: Int, _ now: Int64, _ wall: Int64) {
        var done = 0
        var told: [Position] = []
        channels[place].window.acknowledge(ticket) { entry in
            done += 1
            if onAcknowledged != nil { told.append(entry.position) }
            counts.bytesInFlight -= entry.bytes
            counts.acknowledgeLatency.add(milliseconds: Double(now - entry.handedOver) / 1_000_000)
            counts.deliveryLatency.add(milliseconds: Double(wall - entry.created))
        }
        guard done > 0 else { return }
        linkState.reached()
        if toldLink.state != .up { tellLink() }
        let oldest = channels[place].window.oldestTicket
        while let end = channels[place].groups.first, end <= oldest { channels[place].groups.removeFirst() }
        counts.acknowledged += done
        lastAcknowledged = WallInstant(milliseconds: wall)
        counts.inFlight -= done
        // Only now, since whoever is told may ask the pump.
        for position in told { onAcknowledged?(channels[place].topic, position) }
        if state == .running { backoff.reset() }
        unsettled.insert(place)
        unsettledCount += done
        scheduleSettling(after: unsettledCount >= configuration.settleCount ? 0 : configuration.settleAfter)
    }

    // MARK: Settling

    private func scheduleSettling(after milliseconds: Int64) {
        guard !isSettling else { return }  // It schedules the next one itself.
        if milliseconds == 0 {
            isSettling = true
            Task { [weak self] in await self?.settle() }
        } else if settleDeadline == nil {
            settleDeadline = EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self] in
                self?.settleDeadline = nil
                self?.scheduleSettling(after: 0)
            }
        }
    }

    /// Writes down how far each topic is. One transaction, whatever the number of messages.
    func settle() async {
        isSettling = true
        if let settleDeadline { EventLoop.shared.cancel(settleDeadline) }
        settleDeadline = nil
        let places = unsettled
        let count = unsettledCount
        let marks = places.map { Mark(topic: channels[$0].topic, position: channels[$0].window.acked) }
        unsettled = []
        unsettledCount = 0
        var next = configuration.settleAfter
        do throws(OutboxError) {
            try await settlePartitions()
            if !marks.isEmpty {
                try await outbox.settle(marks)
                counts.settles += 1
            }
        } catch {
            // Nothing is lost: what is not written down is sent again after a restart.
            counts.settleFailures += 1
            say(.warning, "the outbox cannot be written", error.code.rawValue, error.description)
            unsettled.formUnion(places)
            unsettledCount += count
            next = 1000
        }
        isSettling = false
        guard state == .running || state == .recovering, !unsettled.isEmpty else { return }
        scheduleSettling(after: next)
    }
}
