import Kafka
import Lane
import Loop
import Outbox

/// The look every 10 s for what no event told of, and what is said to the log.
extension Pump {
    func scheduleLook() {
        lookDeadline = EventLoop.shared.schedule(inMilliseconds: configuration.look) { [weak self] in
            Task { [weak self] in await self?.look() }
        }
    }

    private func look() async {
        guard state == .running || state == .recovering else { return }
        if let depths = try? await outbox.depths(withOldest: true) { learn(depths, isLook: true) }
        looks += 1
        watchDrain()
        if looks.isMultiple(of: 3) { lookForStale() }
        advanceAll()
        tellLink()
        if link.state == .down, link.fault?.cause.isOfCredentials == true { lookAtCredentials() }
        onLook?()
        if state == .running || state == .recovering { scheduleLook() }
    }

    func learn(_ found: [TopicDepth], isLook: Bool) {
        depths = found
        for depth in found {
            let place = place(of: depth.topic, settled: depth.settled)
            if isLook, depth.head > channels[place].window.head {
                // Its wake-up may be on its way: only one that has not come a moment later was lost.
                channels[place].unheard = depth.head
                confirm(place, depth.head)
            }
            channels[place].window.head = max(channels[place].window.head, depth.head)
        }
    }

    private func confirm(_ place: Int, _ head: Position) {
        EventLoop.shared.schedule(inMilliseconds: 250) { [weak self] in
            guard let self, channels[place].unheard == head else { return }
            channels[place].unheard = nil
            counts.lostWakeUps += 1
        }
    }

    /// A message that was handed over long ago and has no report although a broker is connected: the producer is stuck.
    private func lookForStale() {
        guard state == .running, isConnected else { return }
        let limit = Boottime.nanoseconds() - configuration.staleAfter * 1_000_000
        for place in channels.indices {
            guard let oldest = channels[place].window.oldest, oldest.handedOver < limit else { continue }
            counts.staleRecreations += 1
            return fail(.noReport, nil, nil)
        }
    }

    // MARK: Notices

    /// The same again within a minute is not said: librdkafka repeats itself while a broker is down.
    func say(_ level: Notice.Level, _ message: String, _ about: String, _ text: String, field: String = "error") {
        let now = Boottime.milliseconds()
        let key = "\(message) \(about)"
        if let last = noted[key], now - last < 60_000 { return }
        if noted.count > 200 { noted = [:] }
        noted[key] = now
        note(Notice(level, message, [.init(field, text)]))
    }

    func say(_ error: KafkaError) {
        var text = "\(error.name): \(error.description)"
        if error.isOfAuthority,
            let warning = LibraryVersion.current.scramWarning(for: settings.settings)
        {
            text += "; \(warning)"
        }
        say(.warning, "the producer reports an error", error.name, text, field: "kafka.error")
    }
}
