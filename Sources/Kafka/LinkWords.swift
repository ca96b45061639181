/// librdkafka's and OpenSSL's words for what goes wrong on a connection, and ours.
///
/// The words were taken from librdkafka 2.0.2 and 2.16.0 on real sockets; `LinkFaultTests` keeps them.
enum LinkWords {
    /// Looked for in this order: the first that is found counts.
    private static let table: [(words: String, cause: LinkFault.Cause)] = [
        ("Failed to resolve", .unresolved),
        // Written by `CertificateCheck`.
        ("certificate has expired", .expired),
        ("certificate is not yet valid", .notYetValid),
        ("certificate is for another host", .otherHost),
        ("certificate of an unknown authority", .untrusted),
        ("certificate verify failed", .untrusted),
        // The broker's alerts about our certificate. Source: RFC 8446, 6.2.
        ("alert certificate required", .clientCertificate),
        ("alert bad certificate", .clientCertificate),
        ("alert unknown ca", .clientCertificate),
        ("alert certificate expired", .clientCertificate),
        ("alert certificate unknown", .clientCertificate),
        ("alert certificate revoked", .clientCertificate),
        ("alert handshake failure", .clientCertificate),
        ("connecting to a PLAINTEXT broker listener", .tlsUnknown),
        ("wrong version number", .tlsUnknown),
        ("unexpected eof while reading", .tlsUnknown),
        ("packet length too long", .tlsUnknown),
        ("connecting to a SSL listener", .tlsWanted),
        ("not valid in current SASL state", .mechanism),
        ("might require SASL authentication", .loginWanted),
        ("Unsupported SASL mechanism", .mechanism),
        ("SASL mechanism handshake failed", .mechanism),
        ("invalid credentials", .credentials),
        ("Invalid username or password", .credentials),
        ("SASL authentication error", .credentials),
        ("Authentication failed", .credentials),
        ("Connection refused", .refused),
        ("Connection setup timed out", .silent),
        ("ApiVersionRequest failed: Local: Timed out", .silent),
        ("request(s) timed out", .silent),
        ("timed out", .silent),
        ("No route to host", .silent),
        ("Network is unreachable", .silent),
        ("SSL handshake failed", .tls),
        ("SSL routines", .tls),
        ("Disconnected", .closed),
        ("Connection reset", .closed),
        ("Broken pipe", .closed),
    ]

    /// - Parameter scheme: `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    static func cause(of text: String, _ name: String, scheme: String) -> LinkFault.Cause {
        // Newer versions than 2.0 have no guess at why a connection ended: only when it did.
        if text.hasPrefix("Disconnected") {
            if !scheme.hasSuffix("ssl"), text.contains("in state APIVERSION_QUERY") { return .tlsWanted }
            if !scheme.hasPrefix("sasl"), let lived = milliseconds(text), lived < 1000, text.contains("in state UP") {
                return .loginWanted
            }
        }
        if let size = responseSize(text) { return isTLSRecord(size) ? .tlsWanted : .notKafka }
        if let found = table.first(where: { text.contains($0.words) }) { return found.cause }
        switch name {
        case "_RESOLVE": return .unresolved
        case "_SSL": return .tls
        case "_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED": return .credentials
        case "UNSUPPORTED_SASL_MECHANISM": return .mechanism
        case "CLUSTER_AUTHORIZATION_FAILED": return .notAuthorised
        default: return .other
        }
    }

    /// How long a connection was in its last state: `(after 12ms in state UP)`.
    private static func milliseconds(_ text: String) -> Int? {
        guard let start = text.firstRange(of: "(after ") else { return nil }
        return Int(text[start.upperBound...].prefix { $0.isNumber })
    }

    /// The first four bytes of an answer that was no Kafka's, where librdkafka took them for a length.
    private static func responseSize(_ text: String) -> UInt32? {
        guard let start = text.firstRange(of: "Invalid response size ") else { return nil }
        return Int64(text[start.upperBound...].prefix { $0.isNumber || $0 == "-" }).map {
            UInt32(truncatingIfNeeded: $0)
        }
    }

    /// An alert or handshake record: 0x15 or 0x16, then the version 3.x. Source: RFC 8446, 5.1.
    private static func isTLSRecord(_ size: UInt32) -> Bool {
        (size >> 24 == 0x15 || size >> 24 == 0x16) && size >> 16 & 0xFF == 3
    }

    /// What is wrong, and the way out.
    static func sentence(_ cause: LinkFault.Cause, broker: String, _ text: String) -> String {
        let host = broker.isEmpty ? "the broker" : broker
        switch cause {
        case .unresolved:
            return "the name of \(host) has no address; correct bootstrap.servers, or the lane's DNS"
        case .refused:
            return "nobody listens at \(host); correct bootstrap.servers, or start the broker"
        case .silent:
            return "\(host) does not answer; look for a firewall between, a wrong address, a broker that hangs"
        case .closed:
            return "\(host) ended the connection; its log says why"
        case .notKafka:
            return "what listens at \(host) is not Kafka; correct host and port in bootstrap.servers"
        case .tlsWanted:
            return "\(host) ends connections in plain text: it probably wants TLS; set security.protocol to ssl or "
                + "sasl_ssl, or use the port of its plain listener"
        case .tlsUnknown:
            return "\(host) does not speak TLS; use the port of its TLS listener, or correct security.protocol"
        case .untrusted:
            return "the certificate of \(host) is of no authority that this lane trusts; let ssl.ca.location name the "
                + "certificate of the brokers' authority"
        case .expired:
            return "the certificate of \(host), or of its authority, has expired; renew it at the broker, or set the "
                + "lane's clock right"
        case .notYetValid:
            return "the certificate of \(host) counts only from a later time on; set the lane's clock right"
        case .otherHost:
            return "the certificate of \(host) is for another host; write the name that stands in it into "
                + "bootstrap.servers, and let the broker advertise that name"
        case .clientCertificate:
            return "\(host) refuses this lane's certificate, or wants one; look at ssl.certificate.location and "
                + "ssl.key.location, whether it has expired, and whether the brokers trust its authority"
        case .tls:
            return "no TLS with \(host): \(brief(text)); look at the TLS versions and ciphers of both sides"
        case .credentials:
            return "\(host) refuses this lane's name or password; correct sasl.username and sasl.password: a file "
                + "that holds the password is read again by itself"
        case .loginWanted:
            return
                "\(host) ends connections that ask for anything: it probably wants a login; set security.protocol to sasl_ssl, with sasl.mechanism, sasl.username and "
                + "sasl.password"
        case .mechanism where text.contains("not valid in current SASL state"):
            return "the listener at \(host) asks for no login; use the port of its SASL listener, or correct "
                + "security.protocol"
        case .mechanism:
            return "\(host) does not offer this lane's sasl.mechanism; choose one that the broker has enabled"
        case .notAuthorised:
            return "\(host) knows this lane and refuses it; give its user the rights of docs/how-to/secure-the-link.md"
        case .other:
            return "no link to \(host): \(brief(text))"
        }
    }

    /// librdkafka's words without how long it took.
    private static func brief(_ text: String) -> String {
        guard let end = text.firstRange(of: " (after ") else { return text }
        return String(text[..<end.lowerBound])
    }
}
