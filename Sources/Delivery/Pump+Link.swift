import Kafka
import Lane
import Loop

/// The link to the cluster: how it is, said once when it changes; and credentials that are changed while it runs.
extension Pump {
    /// How the lane is connected. Cheap: may be asked at any time.
    public var link: Link {
        let oldest = channels.compactMap { $0.window.oldest?.handedOver }.min()
        return linkState.link(
            now: Boottime.milliseconds(), wall: Boottime.wallMilliseconds(), oldest: oldest.map { $0 / 1_000_000 })
    }

    /// How often each cause of a broken link was told, since the start.
    public var linkFaults: [LinkFault.Cause: Int] { linkState.counts }

    /// Takes an error about the link.
    /// - Returns: whether it was one.
    func takeLinkError(_ error: KafkaError) -> Bool {
        guard !error.isFatal, let fault = LinkFault(error) else { return false }
        linkState.take(fault, isAllDown: error.isAllBrokersDown, isCounted: false, now: Boottime.milliseconds())
        if error.isAllBrokersDown || fault.cause.isOfCredentials { tellLink() }
        if fault.cause.isOfCredentials { lookAtCredentials() }
        return true
    }

    /// One line when the link breaks, one when it breaks for another reason, one when it is back.
    func tellLink() {
        let link = self.link
        let cause = link.state == .down ? link.fault?.cause : nil
        defer { toldLink = (link.state, cause, link.since) }
        switch (toldLink.state, link.state) {
        case (.down, .down) where cause == toldLink.cause: return
        case (_, .down), (_, .stalled):
            guard toldLink.state != link.state || cause != toldLink.cause else { return }
            var fields: [Notice.Field] = [.init("error", link.sentence)]
            if let fault = link.fault, link.state == .down {
                fields += [.init("broker", fault.broker), .init("reason", fault.cause.rawValue)]
                if fault.cause == .credentials,
                    let warning = LibraryVersion.current.scramWarning(for: settings.settings)
                {
                    fields.append(.init("remedy", warning))
                }
                fields.append(.init("kafka.error", fault.said))
            }
            note(Notice(.warning, "no link to Kafka: messages are kept", fields))
        case (.down, .up), (.stalled, .up):
            let seconds = max(0, Boottime.wallMilliseconds() - toldLink.since) / 1000
            note(Notice(.info, "the link to Kafka is back", [.init("seconds", String(seconds))]))
        default: return
        }
    }

    // MARK: Credentials

    /// Reads the credentials again, on another thread; where they are others than those in use, the producer is made anew.
    /// - Parameter gently: waits up to 2 s for what is on its way, as nothing is wrong with the link.
    @discardableResult
    public func renewCredentials(gently: Bool = true) async -> Bool {
        guard let read = configuration.credentials, !isReadingCredentials else { return false }
        isReadingCredentials = true
        let found = await onOwnThread(name: "credentials", read)
        isReadingCredentials = false
        guard state == .running, let found, found.mark != credentialsMark else { return false }
        use(found)
        note(Notice(.info, "credentials have changed: the producer is made anew"))
        if gently { _ = await producer?.flush(within: 2000) }
        renew()
        return true
    }

    /// Takes the credentials as they are now, before a producer is made; where they cannot be read, those of before.
    func readCredentials() async {
        guard let read = configuration.credentials, let found = await onOwnThread(name: "credentials", read) else {
            return
        }
        use(found)
    }

    private func use(_ found: ProducerCredentials) {
        settings = found.producer
        credentialsMark = found.mark
    }

    func lookAtCredentials() {
        guard configuration.credentials != nil, !isReadingCredentials, state == .running else { return }
        Task { [weak self] in await self?.renewCredentials(gently: false) }
    }
}
