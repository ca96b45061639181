import CRdKafka

/// What librdkafka or a broker refused.
public struct KafkaError: Error, Hashable, Sendable, CustomStringConvertible {
    /// librdkafka's number: negative ones are its own, positive ones the Kafka protocol's.
    public var code: Int32
    /// One sentence. Never a setting's secret.
    public var description: String
    /// The producer instance is of no more use: only a new one helps.
    public var isFatal: Bool
    /// The place of the setting at fault among those given, and its name.
    public var setting: (index: Int, key: String)? {
        settingKey.map { (settingIndex, $0) }
    }
    private var settingIndex = 0
    private var settingKey: String?

    init(code: Int32, _ description: String, isFatal: Bool = false, settingIndex: Int = 0, settingKey: String? = nil) {
        self.code = code
        self.description = Self.printable(description)
        self.isFatal = isFatal
        self.settingIndex = settingIndex
        self.settingKey = settingKey
    }

    /// Brokers add words of their own, which go to logs and terminals: control characters become blanks.
    private static func printable(_ text: String) -> String {
        let isControl = { (scalar: Unicode.Scalar) in scalar.value < 0x20 || (0x7F..<0xA0).contains(scalar.value) }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var shown = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { shown.append(isControl(scalar) ? " " : scalar) }
        return String(shown)
    }

    /// An error by its number alone, in librdkafka's words.
    public init(code: Int32, isFatal: Bool = false) {
        self.init(
            code: code, String(cString: rd_kafka_err2str(rd_kafka_resp_err_t(rawValue: code))), isFatal: isFatal)
    }

    init(_ code: rd_kafka_resp_err_t, isFatal: Bool = false) { self.init(code: code.rawValue, isFatal: isFatal) }

    /// No broker answered for the message: librdkafka takes it for delivered because a later one was acknowledged, which only holds
    /// where the broker refuses what is out of sequence. Source: rd_kafka_dr_implicit_ack, which gives no offset.
    static let unproven = KafkaError(
        code: RD_KAFKA_RESP_ERR__INCONSISTENT.rawValue,
        "no broker acknowledged the message itself, a later one only: it is sent again")

    /// The number's name, as documents and broker logs write it: `MSG_SIZE_TOO_LARGE`, `_ALL_BROKERS_DOWN`.
    public var name: String {
        guard let name = rd_kafka_err2name(rd_kafka_resp_err_t(rawValue: code)) else { return String(code) }
        return String(cString: name)
    }

    private func isOne(of codes: [rd_kafka_resp_err_t]) -> Bool { codes.contains { $0.rawValue == code } }

    /// The producer's queue is full: wait for reports, then send again.
    public var isQueueFull: Bool { isOne(of: [RD_KAFKA_RESP_ERR__QUEUE_FULL]) }

    /// Given back unsent, or sent without an answer, because the queue was emptied: says nothing about the message.
    public var isPurge: Bool {
        isOne(of: [
            RD_KAFKA_RESP_ERR__PURGE_QUEUE, RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, RD_KAFKA_RESP_ERR__DESTROY,
            RD_KAFKA_RESP_ERR__FATAL,
        ])
    }

    /// The topic is not there, or this producer may not write to it: other topics are not concerned.
    public var isOfTopic: Bool {
        isOne(of: [
            RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
        ])
    }

    /// No broker will ever take this message as it is.
    public var isOfMessage: Bool {
        isOne(of: [
            RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_MSG, RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE,
            RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, RD_KAFKA_RESP_ERR_INVALID_RECORD,
            RD_KAFKA_RESP_ERR_POLICY_VIOLATION, RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT,
        ])
    }

    /// The time at which it was handed over is none for the broker: this machine's clock is wrong, or the broker's. The same
    /// message is taken once it is right, as each sending has a time of its own.
    public var isOfClock: Bool { isOne(of: [RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP]) }

    /// Who we are, or what we may do, was refused. Waits for an operator; says nothing about the message.
    public var isOfAuthority: Bool {
        isOne(of: [
            RD_KAFKA_RESP_ERR__AUTHENTICATION, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        ])
    }

    /// No certificate, or not the one that was wanted: does not pass by itself.
    public var isOfCertificate: Bool { isOne(of: [RD_KAFKA_RESP_ERR__SSL]) }

    /// The broker that was asked has no such topic: there is none, or it has not heard of it yet.
    public var isUnknownTopic: Bool { isOne(of: [RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART]) }

    /// There was such a topic already.
    public var isTopicThere: Bool { isOne(of: [RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS]) }

    /// Fewer brokers run than replicas were asked for.
    public var isOfReplication: Bool { isOne(of: [RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR]) }

    /// The broker does not know this request.
    public var isUnsupported: Bool {
        isOne(of: [RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION])
    }

    public var isAllBrokersDown: Bool { isOne(of: [RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN]) }

    public static func == (a: KafkaError, b: KafkaError) -> Bool {
        a.code == b.code && a.description == b.description && a.isFatal == b.isFatal && a.settingKey == b.settingKey
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(description)
    }
}

extension KafkaError {
    /// Our own: a message was handed over and no report came.
    public static let noReport = KafkaError(
        code: RD_KAFKA_RESP_ERR__MSG_TIMED_OUT.rawValue, "no report came although a broker is connected")
}
