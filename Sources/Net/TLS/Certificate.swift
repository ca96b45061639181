import COpenSSL
import Glibc

/// What people want to know of an X.509 certificate. A value.
public struct Certificate: Hashable, Sendable {
    /// `/CN=lane-07/O=Example`.
    public let subject: String
    public let issuer: String
    /// Unix seconds.
    public let notBefore: Int64
    public let notAfter: Int64

    /// The first certificate of a file in PEM; nil where there is none. Source: PEM_read_bio_X509(3).
    public init?(pem: [UInt8]) {
        guard pem.count < Int(Int32.max), let bio = BIO_new_mem_buf(pem, Int32(pem.count)) else { return nil }
        defer { BIO_free(bio) }
        defer { ERR_clear_error() }
        guard let found = PEM_read_bio_X509(bio, nil, { _, _, _, _ in -1 }, nil) else { return nil }
        defer { X509_free(found) }
        self.init(found)
    }

    init(_ certificate: OpaquePointer) {
        subject = Self.line(X509_get_subject_name(certificate))
        issuer = Self.line(X509_get_issuer_name(certificate))
        notBefore = Self.seconds(X509_get0_notBefore(certificate))
        notAfter = Self.seconds(X509_get0_notAfter(certificate))
    }

    private static func line(_ name: OpaquePointer?) -> String {
        guard let text = X509_NAME_oneline(name, nil, 0) else { return "" }
        defer { CRYPTO_free(text, nil, 0) }
        return String(cString: text)
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int64 {
        var parts = tm()
        guard let time, ASN1_TIME_to_tm(time, &parts) == 1 else { return 0 }
        return Int64(timegm(&parts))
    }
}

/// The OpenSSL in use.
public enum OpenSSLVersion {
    /// `OpenSSL 3.0.19 27 Jan 2026`. Source: OpenSSL_version(3).
    public static var current: String { OpenSSL_version(0).map { String(cString: $0) } ?? "unknown" }
}
