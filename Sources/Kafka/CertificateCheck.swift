import CRdKafka
import Glibc

/// Lets librdkafka say why a broker's certificate is refused.
///
/// Its own error is "certificate verify failed", whatever the reason was; OpenSSL's number is known to its call-back alone.
/// The verdict stays OpenSSL's: what it refused is refused. Source: rdkafka.h, rd_kafka_conf_set_ssl_cert_verify_cb.
enum CertificateCheck {
    static func install(in configuration: OpaquePointer) {
        rd_kafka_conf_set_ssl_cert_verify_cb(configuration) { _, _, _, error, _, _, _, text, size, _ in
            guard let error else { return 0 }
            guard error.pointee != 0 else { return 1 }
            if let text, size > 0 { CertificateCheck.write(CertificateCheck.reason(error.pointee), to: text, size) }
            return 0
        }
    }

    /// Numbers are part of OpenSSL's interface. Source: x509_vfy.h, X509_V_ERR_….
    static func reason(_ code: Int32) -> String {
        switch code {
        case 10, 12: return "certificate has expired"
        case 9, 11: return "certificate is not yet valid"
        case 62, 64: return "certificate is for another host"
        case 2, 18, 19, 20, 21, 27: return "certificate of an unknown authority"
        default: return "certificate verify failed, X.509 error \(code)"
        }
    }

    private static func write(_ reason: String, to text: UnsafeMutablePointer<CChar>, _ size: Int) {
        var place = 0
        for byte in reason.utf8 where place < size - 1 {
            text[place] = CChar(bitPattern: byte)
            place += 1
        }
        text[place] = 0
    }
}
