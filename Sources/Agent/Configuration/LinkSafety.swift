import Glibc
import Kafka
import Lane
import Loop
import Net
import YAML

/// Looks for what makes the link to Kafka less safe than it could be: each a warning with the way out.
struct LinkSafety {
    private let configuration: Configuration
    private let producer: ClientConfiguration
    private let findings: Findings

    init(_ configuration: Configuration, _ producer: ClientConfiguration, _ findings: Findings) {
        self.configuration = configuration
        self.producer = producer
        self.findings = findings
    }

    func look() {
        let secure = (producer["security.protocol"] ?? "plaintext").lowercased()
        if secure == "sasl_plaintext" {
            warn(
                "security.protocol", "names, passwords and messages cross the network in plain text",
                "security.protocol: sasl_ssl, with ssl.ca.location")
        }
        if producer["ssl.endpoint.identification.algorithm"]?.lowercased() == "none" {
            warn(
                "ssl.endpoint.identification.algorithm",
                "the host name in the brokers' certificates is not looked at: any certificate of the same authority will do",
                "ssl.endpoint.identification.algorithm: https, and names in bootstrap.servers that stand in the "
                    + "certificates")
        }
        if let value = producer["enable.ssl.certificate.verification"]?.lowercased(),
            ["false", "f", "0"].contains(value)
        {
            warn(
                "enable.ssl.certificate.verification",
                "the brokers' certificates are not looked at: anybody can pretend to be the broker",
                "leave it out, and let ssl.ca.location name the certificate of the brokers' authority")
        }
        lookAtPasswords()
        lookAtFiles()
    }

    /// Passwords that stand in the configuration itself.
    private func lookAtPasswords() {
        let secrets = configuration.kafka.filter {
            $0.source == .text && !$0.value.isEmpty && ClientConfiguration.Setting.isSecret($0.key)
                && !["ssl.ca.pem", "ssl.certificate.pem"].contains($0.key)
        }
        guard let first = secrets.first, !configuration.path.isEmpty else { return }
        var facts = stat()
        guard stat(configuration.path, &facts) == 0, facts.st_mode & 0o004 != 0 else { return }
        findings.warning(
            "everybody on this machine may read \(first.key) in this file", at: first.keyRange,
            help:
                "put it into a file of its own, \(first.key): {file: /etc/lanewatch/kafka.password}, or let systemd hand it "
                + "over, {credential: kafka-password}; or at least: chmod 640 \(configuration.path)")
    }

    /// Key files that others may read, and certificates that end soon.
    private func lookAtFiles() {
        for setting in configuration.kafka {
            guard let value = producer[setting.key], !value.isEmpty else { continue }
            switch setting.key {
            case "ssl.key.location", "ssl.keystore.location":
                var facts = stat()
                guard stat(value, &facts) == 0, facts.st_mode & 0o004 != 0 else { continue }
                findings.warning(
                    "everybody on this machine may read the key in \(value)", at: setting.valueRange,
                    help: "chgrp lanewatch \(value); chmod 640 \(value)")
            case "ssl.certificate.location":
                guard let bytes = try? FileBytes.read(value, limit: SecretFile.pemBytes) else { continue }
                lookAtCertificate(bytes, setting)
            case "ssl.certificate.pem": lookAtCertificate(Array(value.utf8), setting)
            default: continue
            }
        }
    }

    private func lookAtCertificate(_ pem: [UInt8], _ setting: Configuration.KafkaSetting) {
        guard let certificate = Certificate(pem: pem) else { return }
        let now = Boottime.wallMilliseconds() / 1000
        let end = WallInstant(milliseconds: certificate.notAfter * 1000).rfc3339
        let renewal =
            "renew it; a new file is read when a broker refuses the old one, and by systemctl reload lanewatch"
        if certificate.notAfter <= now {
            findings.warning("this lane's certificate has expired, at \(end)", at: setting.valueRange, help: renewal)
        } else if certificate.notAfter < now + 30 * 86_400 {
            findings.warning("this lane's certificate ends at \(end)", at: setting.valueRange, help: renewal)
        } else if certificate.notBefore > now {
            findings.warning(
                "this lane's certificate counts only from a later time on", at: setting.valueRange,
                help: "set the lane's clock right")
        }
    }

    private func warn(_ key: String, _ sentence: String, _ way: String?) {
        let setting = configuration.kafka.last { $0.key == key }
        findings.warning(sentence, at: setting?.valueRange, help: way.map { "write \($0)" })
    }
}
