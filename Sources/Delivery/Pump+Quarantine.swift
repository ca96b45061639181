import Kafka
import Lane
import Loop
import Outbox

/// Messages that no broker takes: out of the stream, so that those behind them may go on.
extension Pump {
    /// Puts the message at `mark` among the dead letters, with a substitute in its place. Where that cannot be, its topic
    /// waits, alone.
    func quarantine(_ mark: Mark, _ place: Int, _ error: KafkaError) async {
        do throws(OutboxError) {
            let before = Position(epoch: mark.position.epoch, seq: mark.position.seq - 1)
            guard let parcel = try await outbox.lease(topic: mark.topic, after: before, limit: 1).first,
                parcel.position == mark.position
            else { return }
            guard !Quarantine.isSubstitute(parcel) else {
                // Not even a few bytes of our own: it is the topic that takes nothing.
                channels[place].window.tryOne()
                return hold(place, .refused)
            }
            let reason = "\(error.name): \(error.description)"
            let limit = QuarantineSize(
                messages: configuration.quarantineMessages, bytes: configuration.quarantineBytes)
            let isMoved = try await outbox.moveToDeadLetters(
                mark, reason: reason, substitute: Quarantine.substitute(for: parcel, because: error), limit: limit)
            await learnQuarantine()
            guard isMoved else { return }
            channels[place].window.forgive()
            counts.deadLetters += 1
            note(
                Notice(
                    .error, "a message that no broker takes was put among the dead letters",
                    [
                        .init("topic", mark.topic), .init("parcel.position", mark.position.description),
                        .init("parcel.id", parcel.id), .init("kafka.error", reason),
                        .init("remedy", "lanewatch outbox"),
                    ]))
        } catch {
            if error.code == .quarantineFull {
                channels[place].window.tryOne()
                hold(place, .quarantineFull)
            } else {
                say(.warning, "the outbox cannot be written", error.code.rawValue, error.description)
            }
        }
    }

    /// Reads how much is in quarantine.
    func learnQuarantine() async {
        if let size = try? await outbox.quarantineSize() { quarantine = size }
    }

    /// Whether a topic that waits for room in the quarantine has to go on waiting: else its message would be refused again
    /// every few seconds, and all topics stopped by it.
    func isQuarantineFull() -> Bool {
        quarantine.messages >= configuration.quarantineMessages || quarantine.bytes >= configuration.quarantineBytes
    }

    /// Takes the dead letter at `mark` out of the quarantine: to be sent again as the next message of its topic, or for good.
    /// `audit` is kept with it, in one transaction.
    /// - Returns: false where there is no such dead letter (any more).
    public func resolve(_ mark: Mark, release: Bool, audit: CloudEvent?) async throws(OutboxError) -> Bool {
        var events: [CloudEvent] = []
        if release {
            guard let parcel = try await outbox.deadLetter(mark) else { return false }
            events.append(Quarantine.released(parcel))
        }
        if let audit { events.append(audit) }
        guard let committed = try await outbox.resolve(mark, keeping: events) else { return false }
        if release { counts.released += 1 } else { counts.discarded += 1 }
        await learnQuarantine()
        for place in channels.indices {
            guard case .held(let held) = channels[place].access, held.reason == .quarantineFull, !isQuarantineFull()
            else { continue }
            channels[place].access = .unasked
        }
        wake(committed.heads)
        advanceAll()
        return true
    }
}
