import Delivery
import Kafka
import Lane
import Loop
import Net

/// From this lane to each broker, step by step: name, connection, TLS, login, topics.
extension Doctor {
    mutating func lookAtLink() async {
        let producer = KafkaSettings.producer(configuration)
        let isTLS = producer["security.protocol"]?.lowercased().hasSuffix("ssl") ?? false
        let addresses = (producer["bootstrap.servers"] ?? producer["metadata.broker.list"] ?? "")
            .split(separator: ",").map { $0.filter { $0 != " " } }
        var usable: String?
        for address in addresses.prefix(16) {
            guard let probe = ConnectionProbe(address) else {
                add("broker \(address)", .fail, "is no host:port", "correct bootstrap.servers")
                continue
            }
            guard reach(probe, address, isTLS) else { continue }
            if await logIn(address, producer) { usable = usable ?? address }
        }
        guard let usable else {
            return add("topics", .fail, "cannot be looked at: no broker can be used", "mend the link first")
        }
        await lookAtTopics(usable, producer)
    }

    private enum Step {
        case resolve, connect, shakeHands

        var remedy: String {
            switch self {
            case .resolve: return "correct bootstrap.servers, or the lane's DNS"
            case .connect: return "correct bootstrap.servers, start the broker, or open the firewall"
            case .shakeHands: return "use the port of its TLS listener, or correct security.protocol"
            }
        }
    }

    /// Whether somebody listens there, with TLS where it is wanted.
    private mutating func reach(_ probe: ConnectionProbe, _ address: String, _ isTLS: Bool) -> Bool {
        let check = "broker \(address)"
        var step = Step.resolve
        do throws(ProbeFault) {
            let found = try probe.resolve(milliseconds: patience)
            step = .connect
            guard let first = found.first else {
                add(check, .fail, "has no address", "correct bootstrap.servers, or the lane's DNS")
                return false
            }
            var reached: ConnectionProbe.Address?
            var fault = ProbeFault("\(first.text) does not answer")
            // All addresses of a broker together may take as long as one.
            let end = Boottime.milliseconds() + Int64(patience)
            for candidate in found where reached == nil {
                let left = Int32(clamping: end - Boottime.milliseconds())
                guard left > 0 else { break }
                do throws(ProbeFault) {
                    _ = try probe.connect(candidate, milliseconds: left)
                    reached = candidate
                } catch { fault = error }
            }
            guard let reached else {
                add(
                    check, .fail, fault.description, "correct bootstrap.servers, start the broker, or open the firewall"
                )
                return false
            }
            guard isTLS else {
                add(check, .ok, "\(reached.text) port \(probe.port) answers")
                return true
            }
            step = .shakeHands
            let connection = try probe.connect(reached, milliseconds: patience)
            tell(try probe.shakeHands(over: connection, milliseconds: patience), check, reached.text)
            return true
        } catch {
            add(check, .fail, error.description, step.remedy)
            return false
        }
    }

    private mutating func tell(_ handshake: ConnectionProbe.Handshake, _ check: String, _ address: String) {
        guard let certificate = handshake.certificate else {
            return add(check, .warn, "\(address): \(handshake.version) without a certificate")
        }
        let end = WallInstant(milliseconds: certificate.notAfter * 1000)
        let sentence =
            "\(address): \(handshake.version), certificate \(certificate.subject) of \(certificate.issuer), until \(end.rfc3339)"
        let left = end.milliseconds - Boottime.wallMilliseconds()
        if left <= 0 {
            add(check, .fail, sentence, "it has expired: renew it at the broker, or set the lane's clock right")
        } else if left < 30 * 86_400_000 {
            add(check, .warn, sentence, "it ends in \(left / 86_400_000) days: have it renewed")
        } else {
            add(check, .ok, sentence)
        }
    }

    /// Whether this broker lets the lane in and answers it, by librdkafka with the lane's own settings.
    private mutating func logIn(_ address: String, _ producer: ClientConfiguration) async -> Bool {
        let check = "login \(address)"
        let (state, fault) = await LinkTrial.run(
            producer, at: address, topic: configuration.topics.interventions, patience)
        switch state {
        case .ready, .unknown, .notAuthorised:
            add(check, .ok, "\((producer["security.protocol"] ?? "plaintext").lowercased()), the cluster answers")
            return true
        case .unreachable(let error):
            let found = fault ?? LinkFault(error)
            var remedy = found?.sentence ?? ""
            if found?.cause == .credentials,
                let warning = LibraryVersion.current.scramWarning(for: producer.settings)
            {
                remedy += "; \(warning)"
            }
            guard let found, found.cause != .other else {
                add(
                    check, .fail, "no answer within \(patience / 1000) s: \(error)",
                    "look at the broker's log; a broker that hangs, or something else than Kafka, takes connections and is silent"
                )
                return false
            }
            add(check, .fail, found.cause.rawValue, remedy)
            return false
        }
    }

    private mutating func lookAtTopics(_ address: String, _ producer: ClientConfiguration) async {
        for topic in topics.sorted() {
            let check = "topic \(topic)"
            let (state, _) = await LinkTrial.run(producer, at: address, topic: topic, patience)
            switch state {
            case .ready(let partitions):
                add(check, .ok, "\(partitions) partition\(partitions == 1 ? "" : "s"); may be looked at")
            case .unknown: add(check, .fail, "is not there", "lanewatch topics create")
            case .notAuthorised:
                add(check, .fail, "is refused to this lane", "its user needs Write and Describe on it")
            case .unreachable(let error): add(check, .fail, error.description, "try again; look at the broker's log")
            }
        }
    }
}

/// One producer, made to ask one question.
@LoopActor private enum LinkTrial {
    private final class Faults {
        var found: [LinkFault] = []
    }

    static func run(
        _ settings: ClientConfiguration, at address: String, topic: String, _ milliseconds: Int32
    ) async -> (TopicState, LinkFault?) {
        var settings = settings
        settings.settings += [
            .init("bootstrap.servers", address), .init("reconnect.backoff.ms", "500"),
            .init("reconnect.backoff.max.ms", "1000"),
        ]
        let faults = Faults()
        let producer: Producer
        do throws(KafkaError) {
            producer = try Producer(settings) { event in
                switch event {
                case .error(let error):
                    if !error.isAllBrokersDown, let fault = LinkFault(error) { faults.found.append(fault) }
                case .log(_, let facility, let text):
                    if let fault = LinkFault(facility: facility, text: text) { faults.found.append(fault) }
                default: break
                }
            }
        } catch {
            return (.unreachable(error), nil)
        }
        let state = await producer.state(of: topic, within: milliseconds)
        producer.close()
        await producer.ended(within: 2000)
        var worst: LinkFault?
        // Of two that tell as much the first: why a certificate is refused comes before that it is.
        for fault in faults.found where worst.map({ fault.tellsMore(than: $0) }) ?? true { worst = fault }
        return (state, worst)
    }
}
