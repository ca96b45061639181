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
        producer = try Producer(settings) { [weak self] event in self?.take(event, of: made) }
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
            await sleep(backoff.next(using: &random))
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
            if cause.error.isOfTopic { judgeTopic(place, cause.error) }
            guard cause.error.isOfMessage else { continue }
            let times = channels[place].window.blame(cause.position)
            if times >= configuration.refusals {
                await quarantine(Mark(topic: channels[place].topic, position: cause.position), cause.error)
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

    private func quarantine(_ mark: Mark, _ error: KafkaError) async {
        do throws(OutboxError) {
            let before = Position(epoch: mark.position.epoch, seq: mark.position.seq - 1)
            guard let parcel = try await outbox.lease(topic: mark.topic, after: before, limit: 1).first,
                parcel.position == mark.position, !Quarantine.isSubstitute(parcel)
            else { return }
            let substitute = Quarantine.substitute(for: parcel, because: error)
            let reason = "\(error.name): \(error.description)"
            let isMoved = try await outbox.moveToDeadLetters(
                mark, reason: reason, headers: substitute.headers, value: substitute.value)
            guard isMoved else { return }
            counts.deadLetters += 1
            note(
                Notice(
                    .error, "a message that no broker takes was put among the dead letters",
                    [
                        .init("topic", mark.topic), .init("parcel.position", mark.position.description),
                        .init("parcel.id", parcel.id), .init("kafka.error", reason),
                    ]))
        } catch {
            say(.warning, "the outbox cannot be written", error.code.rawValue, error.description)
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
