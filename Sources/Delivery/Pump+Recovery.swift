import Kafka
import Lane
import Loop
import Outbox

/// From any failure back to sending, in order: empty the producer, look why, end it, wait, make another, rewind.
extension Pump {
    func makeProducer() throws(KafkaError) {
        instance += 1
        let made = instance
        linkState.restarted(now: Boottime.milliseconds())
        let producer = try Producer(settings) { [weak self] event in self?.take(event, of: made) }
        for (topic, partition) in partitions { producer.pin(topic, to: partition) }
        self.producer = producer
    }

    /// Keeps what was said of the oldest message of a topic: that is the one to look at.
    func remember(_ error: KafkaError, _ place: Int, _ position: Position) {
        if let known = channels[place].cause, known.position <= position { return }
        channels[place].cause = (position, error)
    }

    /// Stops all topics and starts the recovery, if it is not under way.
    func fail(_ error: KafkaError, _ place: Int?, _ position: Position?) {
        if let place, let position, !error.isPurge { remember(error, place, position) }
        guard state == .running else { return }
        state = .recovering
        counts.recreations += 1
        lastFailure = PumpStatus.Failure(
            error: error, at: WallInstant(milliseconds: Boottime.wallMilliseconds()))
        say(
            .warning, "the producer failed and is made anew", error.name, "\(error.name): \(error.description)",
            field: "kafka.error")
        recovery = Task { [weak self] in await self?.recover() }
    }

    /// Makes the producer anew with other settings, though nothing has failed.
    func renew() {
        guard state == .running else { return }
        state = .recovering
        counts.recreations += 1
        recovery = Task { [weak self] in await self?.recover() }
    }

    private func recover() async {
        if let producer {
            producer.purge()
            _ = await producer.flush(within: 2000)
            producer.close()
        }
        await judge()
        takeBackAll()
        await settle()
        await producer?.ended(within: 2000)
        producer = nil
        while state == .recovering {
            let wait = backoff.next(using: &random)
            resumesAt = Boottime.milliseconds() + wait
            await sleep(wait)
            guard state == .recovering else { return }
            await readCredentials()
            guard state == .recovering else { return }
            do throws(KafkaError) {
                try makeProducer()
                state = .running
            } catch {
                say(error)
            }
        }
        advanceAll()
    }

    /// Everything in flight is to be read and sent again.
    func takeBackAll() {
        for place in channels.indices {
            takeGathered(place)
            channels[place].groups = []
            let returned = channels[place].window.rewind()
            counts.returned += returned.count
            counts.inFlight -= returned.count
            for entry in returned {
                counts.bytesInFlight -= entry.bytes
                // Acknowledged behind a hole: the broker has it, and gets it again.
                if entry.isAcknowledged { counts.duplicatesPossible += 1 }
            }
        }
    }

    /// Looks at what the failed reports said: topics to be asked for again, messages to be taken out of the stream.
    private func judge() async {
        for place in channels.indices {
            guard let cause = channels[place].cause else { continue }
            channels[place].cause = nil
            // Better than what librdkafka says of itself: that it cannot go on.
            lastFailure?.error = cause.error
            if cause.error.isOfTopic { judgeTopic(place, cause.error) }
            if cause.error.isOfClock {
                channels[place].window.tryOne()
                hold(place, .clock)
            }
            guard cause.error.isOfMessage else { continue }
            let times = channels[place].window.blame(cause.position)
            if times >= configuration.refusals {
                await quarantine(
                    Mark(topic: channels[place].topic, position: cause.position), place, cause.error)
            }
        }
    }

    /// A topic that was the cause is asked for again. One that refuses this client to write may still let it look, and then
    /// the cluster says that all is well: it waits at once, and begins again with a single message.
    private func judgeTopic(_ place: Int, _ error: KafkaError) {
        if error.isOfAuthority {
            channels[place].window.tryOne()
            hold(place, .notAuthorised)
        } else {
            channels[place].access = .unasked
        }
    }

    // MARK: The pause

    private func sleep(_ milliseconds: Int64) async {
        await withCheckedContinuation { done in
            let deadline = EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self] in self?.endPause() }
            pause = (deadline, done)
        }
    }

    func endPause() {
        guard let pause else { return }
        self.pause = nil
        EventLoop.shared.cancel(pause.deadline)
        pause.done.resume()
    }
}
