import Kafka
import Lane
import Loop
import Outbox

/// From a commit straight to the producer, without a reading of the outbox.
///
/// At most two groups of a topic are on their way. With fewer, what comes is handed over at once, so that a quiet lane waits for
/// nothing; with two, what comes is gathered, and handed over together when the first of them is through. That makes fewer and
/// larger requests, and it keeps messages out of librdkafka that it cannot send yet: with `linger.ms=0` its thread spins
/// as long as it holds one (measured with 2.0.2: half a million polls for 100 000 messages).
extension Pump {
    func gather(_ fresh: [Parcel]) {
        guard state == .running else { return }
        for parcel in fresh {
            guard let place = places[parcel.topic], isNext(parcel, place) else { continue }
            channels[place].gathered.append(parcel)
            gatheredCount += 1
            gatheredBytes += parcel.size
        }
    }

    /// Whether `parcel` is the very next of its topic, and there is room for it.
    private func isNext(_ parcel: Parcel, _ place: Int) -> Bool {
        guard case .ready = channels[place].access, !channels[place].isLeasing else { return false }
        let last = channels[place].gathered.last?.position ?? channels[place].window.sent
        let gathered = channels[place].gathered.count
        return last.epoch == parcel.position.epoch && last.seq + 1 == parcel.position.seq
            && channels[place].window.room(configuration.windowPerTopic) > gathered
            && counts.inFlight + gatheredCount < configuration.window
            && counts.bytesInFlight + gatheredBytes < configuration.windowBytes
    }

    /// Hands over what was gathered of a topic where it is time to.
    /// - Returns: false as long as it has to wait.
    func isGatheringOver(_ place: Int) -> Bool {
        guard !channels[place].gathered.isEmpty else { return true }
        guard channels[place].groups.count < configuration.groups else { return false }
        handOverGathered(place)
        return true
    }

    func handOverGathered(_ place: Int) {
        let parcels = takeGathered(place)
        guard state == .running, let producer, let first = parcels.first, let last = parcels.last else { return }
        // Where one was given up meanwhile, what stands in its place is read.
        guard outbox.claim(channels[place].topic, from: first.position, to: last.position) else { return }
        handOver(group: parcels, place, producer)
    }

    /// Hands over `parcels` as one group. What cannot be handed over is read again when there is room, or after the recovery.
    /// - Returns: whether all of them were taken.
    @discardableResult
    func handOver(group parcels: [Parcel], _ place: Int, _ producer: Producer) -> Bool {
        let now = Boottime.nanoseconds()
        let first = channels[place].window.nextTicket
        let messages = parcels.map { parcel in
            Message(topic: parcel.topic, key: parcel.key, value: parcel.value, headers: parcel.headers.bytes)
        }
        let opaque = Opaque.pack(instance: instance, channel: place, ticket: first)
        let (sent, fault) = producer.send(messages) { Opaque.advance(opaque, by: $0) }
        for parcel in parcels[..<sent] {
            channels[place].window.append(
                Window.Entry(
                    position: parcel.position, handedOver: now, created: parcel.created.milliseconds,
                    bytes: parcel.size))
            counts.bytesInFlight += parcel.size
        }
        counts.handedOver += sent
        counts.inFlight += sent
        if sent > 0 { channels[place].groups.append(channels[place].window.nextTicket) }
        guard let fault else { return true }
        if fault.isQueueFull { counts.queueFull += 1 } else { fail(fault, place, parcels[sent].position) }
        return false
    }

    /// Empties the gathering; what is not handed over now is read from the outbox.
    @discardableResult
    func takeGathered(_ place: Int) -> [Parcel] {
        let parcels = channels[place].gathered
        channels[place].gathered = []
        gatheredCount -= parcels.count
        for parcel in parcels { gatheredBytes -= parcel.size }
        return parcels
    }
}

extension Parcel {
    /// Bytes of headers and value: what the window counts.
    fileprivate var size: Int { headers.bytes.count + (value?.count ?? 0) }
}
