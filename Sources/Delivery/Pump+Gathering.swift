import Kafka
import Lane
import Loop
import Outbox

/// From a commit straight to the producer, without a reading of the outbox.
///
/// With five messages of a partition on their way, an idempotent librdkafka sends no more until they are answered (its pull request
/// 4989 tells; 2.0.2 to 2.16), and past `linger.ms` its thread spins for as long as it holds one. So a group is handed over when
/// there is nothing on its way, or so little that the next one goes at once: a quiet lane waits for nothing. Meanwhile what comes is
/// gathered, and what waits is read ahead. See docs/decisions/0011-linger.md.
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
    /// - Returns: false as long as any of it has to wait.
    func isGatheringOver(_ place: Int) -> Bool {
        while !channels[place].gathered.isEmpty {
            guard isGroupDue(place) else { return false }
            handOverGathered(place)
        }
        return true
    }

    /// Whether librdkafka would send another group at once.
    func isGroupDue(_ place: Int) -> Bool {
        let channel = channels[place]
        return channel.groups.isEmpty || channel.groups.count < configuration.groups && channel.window.count < 5
    }

    /// Hands over a group of what was gathered: no more than one request holds.
    func handOverGathered(_ place: Int) {
        let parcels = takeGathered(place, upTo: configuration.leaseRows)
        guard state == .running, let producer, let last = parcels.last else { return }
        // Where one that came with its commit was given up meanwhile, what stands in its place is read.
        let fresh = parcels.first { $0.position > channels[place].leasedTo }
        if let fresh, !outbox.claim(channels[place].topic, from: fresh.position, to: last.position) {
            takeGathered(place)
            return
        }
        // What comes behind one that was not taken is read again, in its turn.
        if !handOver(group: parcels, place, producer) { takeGathered(place) }
    }

    /// Keeps what was read ahead until its time comes.
    func gather(read parcels: [Parcel], _ place: Int) {
        channels[place].gathered = parcels
        channels[place].leasedTo = parcels.last?.position ?? channels[place].leasedTo
        gatheredCount += parcels.count
        for parcel in parcels { gatheredBytes += parcel.size }
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

    /// Takes the first of the gathering, all without `limit`; what is not handed over now is read from the outbox.
    @discardableResult
    func takeGathered(_ place: Int, upTo limit: Int = .max) -> [Parcel] {
        let parcels = Array(channels[place].gathered.prefix(limit))
        channels[place].gathered.removeFirst(parcels.count)
        gatheredCount -= parcels.count
        for parcel in parcels { gatheredBytes -= parcel.size }
        return parcels
    }
}

extension Parcel {
    /// Bytes of headers and value: what the window counts.
    fileprivate var size: Int { headers.bytes.count + (value?.count ?? 0) }
}
