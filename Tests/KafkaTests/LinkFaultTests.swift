import Testing

@testable import Kafka

/// What librdkafka says of real sockets, by version, and what is made of it.
@Suite struct LinkFaultTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let said: String
        let cause: LinkFault.Cause
        let broker: String
        /// Words that the sentence must have.
        let way: [String]
        var testDescription: String { "\(cause): \(said.prefix(60))" }

        init(_ name: String, _ said: String, _ cause: LinkFault.Cause, _ broker: String, _ way: String...) {
            (self.name, self.said, self.cause, self.broker, self.way) = (name, said, cause, broker, way)
        }
    }

    static let cases: [Case] = [
        Case(
            "_TRANSPORT",
            "127.0.0.1:24099/bootstrap: Connect to ipv4#127.0.0.1:24099 failed: Connection refused (after 0ms in state CONNECT)",
            .refused, "127.0.0.1:24099", "nobody listens at 127.0.0.1:24099", "bootstrap.servers"),
        Case(
            "_RESOLVE",
            "no-such-host.invalid:9092/bootstrap: Failed to resolve 'no-such-host.invalid:9092': Name or service not known (after 9ms in state CONNECT)",
            .unresolved, "no-such-host.invalid:9092", "has no address", "DNS"),
        Case(
            "_TRANSPORT",
            "127.0.0.1:24001/bootstrap: Connection setup timed out in state CONNECT (after 10013ms in state CONNECT)",
            .silent, "127.0.0.1:24001", "does not answer", "firewall"),
        Case(
            "_TRANSPORT",
            "127.0.0.1:24006/bootstrap: ApiVersionRequest failed: Local: Timed out: probably due to broker version < 0.10 (see api.version.request configuration) (after 10171ms in state APIVERSION_QUERY)",
            .silent, "127.0.0.1:24006", "does not answer"),
        Case(
            "_BAD_MSG",
            "127.0.0.1:24007/bootstrap: Receive failed: Invalid response size 1397966893 (0..100000000): increase receive.message.max.bytes (after 9ms in state APIVERSION_QUERY)",
            .notKafka, "127.0.0.1:24007", "not Kafka"),
        Case(
            "_BAD_MSG",
            "10.255.255.1:9092/bootstrap: Receive failed: Invalid response size 1213486160 (0..100000000): increase receive.message.max.bytes (after 16ms in state APIVERSION_QUERY)",
            .notKafka, "10.255.255.1:9092", "not Kafka"),
        Case(
            "_BAD_MSG",
            "h:1/bootstrap: Receive failed: Invalid response size 352518656 (0..100000000): increase receive.message.max.bytes (after 9ms in state APIVERSION_QUERY)",
            .tlsWanted, "h:1", "TLS", "sasl_ssl"),
        Case(
            "_TRANSPORT",
            "127.0.0.1:25100/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10 (see api.version.request) (after 4ms in state APIVERSION_QUERY)",
            .tlsWanted, "127.0.0.1:25100", "TLS", "security.protocol"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:24005/bootstrap: SSL handshake failed: error:0A00010B:SSL routines::wrong version number (after 85ms in state SSL_HANDSHAKE)",
            .tlsUnknown, "127.0.0.1:24005", "does not speak TLS"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:25110/bootstrap: SSL handshake failed: error:0A000126:SSL routines::unexpected eof while reading (after 2ms in state SSL_HANDSHAKE)",
            .tlsUnknown, "127.0.0.1:25110", "does not speak TLS"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:24001/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed: broker certificate could not be verified, verify that ssl.ca.location is correctly configured or root CA certificates are installed (install ca-certificates package) (after 7ms in state SSL_HANDSHAKE)",
            .untrusted, "127.0.0.1:24001", "ssl.ca.location"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:24004/bootstrap: Receive failed: error:0A00045C:SSL routines::tlsv13 alert certificate required: SSL alert number 116 (after 19ms in state APIVERSION_QUERY)",
            .clientCertificate, "127.0.0.1:24004", "ssl.certificate.location"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:24004/bootstrap: Receive failed: error:0A000418:SSL routines::tlsv1 alert unknown ca: SSL alert number 48 (after 0ms in state APIVERSION_QUERY)",
            .clientCertificate, "127.0.0.1:24004", "trust its authority"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:24008/bootstrap: SSL handshake failed: error:0A00014D:SSL routines::legacy sigalg disallowed or unsupported (after 76ms in state SSL_HANDSHAKE)",
            .tls, "127.0.0.1:24008", "legacy sigalg disallowed", "ciphers"),
        Case(
            "_AUTHENTICATION",
            "sasl_ssl://127.0.0.1:25100/bootstrap: SASL authentication error: Authentication failed during authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512 (after 351ms in state AUTH_REQ)",
            .credentials, "127.0.0.1:25100", "name or password", "read again"),
        Case(
            "_AUTHENTICATION",
            "sasl_ssl://127.0.0.1:25100/1: SASL authentication error: Authentication failed: Invalid username or password (after 321ms in state AUTH_REQ)",
            .credentials, "127.0.0.1:25100", "sasl.password"),
        Case(
            "_AUTHENTICATION",
            "sasl_ssl://127.0.0.1:25100/bootstrap: SASL OAUTHBEARER mechanism handshake failed: Broker: Unsupported SASL mechanism: broker's supported mechanisms: SCRAM-SHA-512,PLAIN,SCRAM-SHA-256 (after 302ms in state AUTH_HANDSHAKE)",
            .mechanism, "127.0.0.1:25100", "sasl.mechanism"),
        Case(
            "_AUTHENTICATION",
            "sasl_plaintext://127.0.0.1:25110/bootstrap: SASL PLAIN mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:  (after 2ms in state AUTH_HANDSHAKE)",
            .mechanism, "127.0.0.1:25110", "asks for no login"),
        Case(
            "_TRANSPORT",
            "ssl://127.0.0.1:25100/bootstrap: Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication (after 5ms in state UP)",
            .loginWanted, "127.0.0.1:25100", "wants a login", "sasl_ssl"),
        Case(
            "_TRANSPORT",
            "ssl://127.0.0.1:25100/bootstrap: Disconnected: SSL connection closed by peer (after 0ms in state UP)",
            .loginWanted, "127.0.0.1:25100", "wants a login"),
        Case(
            "_TRANSPORT",
            "sasl_plaintext://127.0.0.1:25100/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 5ms in state APIVERSION_QUERY)",
            .tlsWanted, "127.0.0.1:25100", "TLS"),
        Case(
            "_TRANSPORT", "sasl_ssl://h:9093/1: Disconnected: SSL connection closed by peer (after 8ms in state UP)",
            .closed, "h:9093", "its log says why"),
        Case(
            "_SSL",
            "ssl://127.0.0.1:25110/bootstrap: SSL handshake failed: Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener? (after 4ms in state SSL_HANDSHAKE)",
            .tlsUnknown, "127.0.0.1:25110", "does not speak TLS"),
        Case(
            "_TRANSPORT", "127.0.0.1:9092/2: Disconnected (after 60012ms in state UP)", .closed, "127.0.0.1:9092",
            "ended the connection"),
        Case(
            "_TIMED_OUT",
            "[::1]:9092/2: 3 request(s) timed out: disconnect (average rtt 0.3ms) (after 9ms in state UP)",
            .silent, "[::1]:9092", "does not answer"),
    ]

    @Test(arguments: cases) func theCauseTheBrokerAndTheWayOut(one: Case) throws {
        let code: [String: Int32] = [
            "_TRANSPORT": -195, "_RESOLVE": -193, "_SSL": -181, "_AUTHENTICATION": -169, "_TIMED_OUT": -185,
            "_BAD_MSG": -199,
        ]
        let error = KafkaError(code: try #require(code[one.name]), one.said)
        #expect(error.name == one.name)
        let fault = try #require(LinkFault(error))
        #expect(fault.cause == one.cause)
        #expect(fault.broker == one.broker)
        for words in one.way { #expect(fault.sentence.contains(words), "\(fault.sentence)") }
        #expect(!fault.sentence.hasSuffix("."))
    }

    @Test func whyACertificateIsRefusedStandsInTheLog() throws {
        let line =
            "[thrd:ssl://127.0.0.1:24002/bootstrap]: ssl://127.0.0.1:24002/bootstrap: Certificate (subject=/CN=localhost, issuer=/CN=ca) verification callback failed: certificate has expired"
        let fault = try #require(LinkFault(facility: "SSLCERTVRFY", text: line))
        #expect(fault.cause == .expired && fault.broker == "127.0.0.1:24002")
        #expect(LinkFault(facility: "REQTMOUT", text: line) == nil)
        let failed =
            "[thrd:h:1/bootstrap]: h:1/bootstrap: Connection setup timed out in state CONNECT (after 3013ms in state CONNECT)"
        #expect(LinkFault(facility: "FAIL", text: failed)?.cause == .silent)
        #expect(CertificateCheck.reason(62).contains("another host"))
        #expect(CertificateCheck.reason(9).contains("not yet valid"))
        #expect(CertificateCheck.reason(77).contains("77"))
    }

    @Test func whatIsOfAMessageIsNotOfTheLink() {
        for code in [10, 3, 29, -193 + 1000] as [Int32] { #expect(LinkFault(KafkaError(code: code)) == nil) }
    }

    @Test func anyTextIsTaken() {
        for text in ["", ": ", "/: ", "ssl://: x", "Invalid response size ", "a b/1: c", "x/y"] {
            _ = LinkFault(KafkaError(code: -195, text))
            _ = LinkFault(facility: "SSLCERTVRFY", text: text)
        }
    }
}
