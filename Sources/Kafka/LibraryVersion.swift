import CRdKafka

/// The librdkafka in use. It is linked dynamically, so it may be newer than the header this was compiled with.
public struct LibraryVersion: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let major: Int
    public let minor: Int
    public let patch: Int

    public init(_ major: Int, _ minor: Int, _ patch: Int) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// The loaded library's. Source: rdkafka.h, "Interpreted as hex MM.mm.rr.xx".
    public static var current: LibraryVersion {
        let number = Int(rd_kafka_version())
        return LibraryVersion(number >> 24 & 0xFF, number >> 16 & 0xFF, number >> 8 & 0xFF)
    }

    public static func < (a: LibraryVersion, b: LibraryVersion) -> Bool {
        (a.major, a.minor, a.patch) < (b.major, b.minor, b.patch)
    }

    public var description: String { "\(major).\(minor).\(patch)" }

    /// Whether requests are tried again with growing pauses, and `retry.backoff.max.ms` is a setting: KIP-580.
    public var hasExponentialRetry: Bool { self >= LibraryVersion(2, 3, 0) }

    /// Whether SCRAM works with Kafka 4 brokers.
    public var hasScramForKafka4: Bool { self >= LibraryVersion(2, 6, 1) }

    /// A sentence for the operator where `settings` ask for SCRAM and this version fails at it on Kafka 4 brokers; nil
    /// otherwise. Belongs to the check of a configuration, and beside a broker's refusal.
    public func scramWarning(for settings: [ClientConfiguration.Setting]) -> String? {
        guard !hasScramForKafka4,
            let mechanism = settings.last(where: { $0.key == "sasl.mechanism" || $0.key == "sasl.mechanisms" }),
            mechanism.value.uppercased().hasPrefix("SCRAM")
        else { return nil }
        return """
            librdkafka \(self) cannot log in with \(mechanism.value) to Kafka 4 brokers: they answer "invalid \
            credentials" to the right password (Kafka 3 brokers accept it). Ways out: librdkafka 2.6.1 or newer (Debian \
            13 has it, and so has the vendor's APT repository), mutual TLS, or SASL PLAIN over TLS
            """
    }

    /// A sentence for the operator where this version may end the process by what a cluster says; nil for the others.
    ///
    /// An answer about a topic with an error and partitions in it crashes 2.3.0 to 2.9.0, tried with the embedded cluster and each of
    /// 2.3.0, 2.4.0, 2.5.3, 2.6.1, 2.6.2, 2.8.0, 2.8.2 and 2.9.0; 2.0.2 and 2.10.0 to 2.16.0 go on. Source: issues 4907 and 5093 of librdkafka.
    public var crashWarning: String? {
        guard self >= LibraryVersion(2, 3, 0), self < LibraryVersion(2, 10, 0) else { return nil }
        return """
            librdkafka \(self) can crash when a cluster answers for a topic with an error, as while one is deleted; the agent is \
            then started anew by systemd, and nothing that was accepted is lost. Ways out: librdkafka 2.10.0 or newer from the \
            vendor's APT repository, or Debian 12's 2.0.2
            """
    }
}
