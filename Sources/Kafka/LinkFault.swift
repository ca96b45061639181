/// Why there is no link to a broker: librdkafka's words turned into what it is, and what to do about it.
///
/// Never holds a secret: librdkafka's texts name addresses, file names and certificates, not passwords.
public struct LinkFault: Hashable, Sendable {
    /// One word for metrics and tools.
    public enum Cause: String, Hashable, Sendable, CaseIterable {
        /// The name has no address.
        case unresolved
        /// The host answers that nobody listens there.
        case refused
        /// Nothing comes back: a firewall, a wrong address, a host that is off, a broker that hangs.
        case silent
        /// The connection was ended by the other side.
        case closed
        /// Something else than Kafka listens there.
        case notKafka = "not_kafka"
        /// We speak plain text, the broker wants TLS.
        case tlsWanted = "tls_wanted"
        /// We speak TLS, the broker plain text.
        case tlsUnknown = "tls_unknown"
        /// The broker's certificate is of no authority that we trust.
        case untrusted
        case expired
        /// A certificate that begins to count only later: mostly a wrong clock.
        case notYetValid = "not_yet_valid"
        /// The broker's certificate is for another host.
        case otherHost = "other_host"
        /// The broker refuses our certificate, or wants one and has none.
        case clientCertificate = "client_certificate"
        /// Another failure of the TLS handshake.
        case tls
        /// Name or password are refused.
        case credentials
        /// The broker wants a login, and we bring none.
        case loginWanted = "login_wanted"
        /// The broker knows no such SASL mechanism.
        case mechanism
        /// The broker knows who we are and refuses us.
        case notAuthorised = "not_authorised"
        case other

        /// Other credentials, keys or certificates may help: they are worth being read again.
        public var isOfCredentials: Bool {
            switch self {
            case .untrusted, .expired, .notYetValid, .clientCertificate, .tls, .credentials: return true
            case .unresolved, .refused, .silent, .closed, .notKafka, .tlsWanted, .tlsUnknown, .otherHost, .loginWanted,
                .mechanism,
                .notAuthorised, .other:
                return false
            }
        }

        /// How much it tells: of the faults of several brokers the highest is shown.
        var weight: Int {
            switch self {
            case .credentials, .loginWanted, .mechanism, .notAuthorised, .clientCertificate: return 4
            case .untrusted, .expired, .notYetValid, .otherHost, .tlsWanted, .tlsUnknown, .notKafka: return 3
            case .tls, .unresolved: return 2
            case .refused, .silent: return 1
            case .closed, .other: return 0
            }
        }
    }

    public var cause: Cause
    /// `host:port`; empty where none was named.
    public var broker: String
    /// What is wrong and what to do: one or two sentences without a full stop at the end.
    public var sentence: String
    /// librdkafka's words.
    public var said: String

    public init(cause: Cause, broker: String, sentence: String, said: String) {
        self.cause = cause
        self.broker = broker
        self.sentence = sentence
        self.said = said
    }

    /// Only says that there is no connection, not why.
    public var isVague: Bool { cause.weight == 0 }

    /// Whether this says more than `other`.
    public func tellsMore(than other: LinkFault) -> Bool { cause.weight > other.cause.weight }
}

extension LinkFault {
    /// What an error event says of the link; nil where it is about something else.
    public init?(_ error: KafkaError) {
        guard error.isOfLink else { return nil }
        self.init(words: error.description, name: error.name)
    }

    /// What a line of librdkafka's log says of the link: each failed connection, of which newer versions make no error where it
    /// may pass by itself, and why a certificate was refused, which no error tells.
    public init?(facility: String, text: String) {
        guard facility == "SSLCERTVRFY" || facility == "FAIL" else { return nil }
        self.init(words: Self.withoutThread(text), name: facility == "FAIL" ? "_TRANSPORT" : "_SSL")
    }

    private init(words: String, name: String) {
        let (broker, text) = Self.split(words)
        let scheme = words.firstRange(of: "://").map { String(words[..<$0.lowerBound]) } ?? "plaintext"
        let cause = LinkWords.cause(of: text, name, scheme: scheme)
        self.init(
            cause: cause, broker: broker, sentence: LinkWords.sentence(cause, broker: broker, text), said: text)
    }

    /// `[thrd:ssl://host:9093/1]: rest` without its beginning.
    private static func withoutThread(_ text: String) -> String {
        guard text.hasPrefix("[thrd:"), let end = text.firstRange(of: "]: ") else { return text }
        return String(text[end.upperBound...])
    }

    /// `sasl_ssl://host:9093/1: words` as `host:9093` and `words`. Bootstrap addresses end in `/bootstrap`, and a broker whose
    /// name and number are known in its number.
    static func split(_ text: String) -> (broker: String, words: String) {
        guard let end = text.firstRange(of: ": ") else { return ("", text) }
        var name = text[..<end.lowerBound]
        if let scheme = name.firstRange(of: "://") { name = name[scheme.upperBound...] }
        guard let slash = name.lastIndex(of: "/"), !name.contains(" ") else { return ("", text) }
        return (String(name[..<slash]), String(text[end.upperBound...]))
    }
}

extension KafkaError {
    /// About a connection, or all of them, and not about a message or a topic.
    public var isOfLink: Bool {
        ["_TRANSPORT", "_RESOLVE", "_SSL", "_BAD_MSG", "_AUTHENTICATION", "_ALL_BROKERS_DOWN", "_TIMED_OUT"].contains(
            name)
            || ["SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM", "CLUSTER_AUTHORIZATION_FAILED"].contains(
                name)
    }
}
