import COpenSSL
import Glibc

/// A certificate that nobody vouches for, made on the lane's first start: people compare its fingerprint.
///
/// EC P-256, for the lane's names and loopback. 820 days: Apple's clients refuse more than 825 even where a user trusts it.
public enum SelfMadeIdentity {
    static let days: Int32 = 820

    /// The private key and the certificate, in PEM, in this order: one file, so that the two are never apart.
    ///
    /// - Parameter names: host names and numeric addresses beside `localhost`, `127.0.0.1` and `::1`; what is neither is left out.
    public static func make(names: [String]) throws(TLSFault) -> [UInt8] {
        ERR_clear_error()
        guard let key = lw_new_p256_key() else { throw TLSFault.openSSL("no key could be made") }
        defer { EVP_PKEY_free(key) }
        guard let certificate = X509_new() else { throw TLSFault.openSSL("no certificate could be made") }
        defer { X509_free(certificate) }
        let subject = names.first { isHostName($0) } ?? "localhost"
        // 63 random bits: a serial number is positive. Source: RFC 5280, 4.1.2.2.
        let serial = Secrets.random(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) } >> 1 | 1
        let isFilled =
            X509_set_version(certificate, 2) == 1
            && ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1
            // An hour back, for clients whose clock is behind.
            && X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != nil
            && X509_time_adj_ex(X509_getm_notAfter(certificate), days, 0, nil) != nil
            && X509_set_pubkey(certificate, key) == 1
            && name(X509_get_subject_name(certificate), subject)
            && X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1
            && extend(certificate, NID_basic_constraints, "critical,CA:FALSE")
            && extend(certificate, NID_key_usage, "critical,digitalSignature")
            && extend(certificate, NID_ext_key_usage, "serverAuth")
            && extend(certificate, NID_subject_alt_name, alternatives(names))
            && X509_sign(certificate, key, EVP_sha256()) > 0
        guard isFilled else { throw TLSFault.openSSL("no certificate could be made") }
        return try pem(key, certificate)
    }

    private static func name(_ subject: OpaquePointer?, _ text: String) -> Bool {
        let bytes = Array(text.utf8)
        return X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_FLAG | 0, bytes, Int32(bytes.count), -1, 0) == 1
    }

    private static func extend(_ certificate: OpaquePointer, _ kind: Int32, _ value: String) -> Bool {
        guard let found = X509V3_EXT_conf_nid(nil, nil, kind, value) else { return false }
        defer { X509_EXTENSION_free(found) }
        return X509_add_ext(certificate, found, -1) == 1
    }

    /// `DNS:lane-07,IP:10.0.0.7,…`. Only what cannot break out of the text: no commas, no colons but an address's own.
    static func alternatives(_ names: [String]) -> String {
        var found = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]
        for name in names.prefix(32) {
            let entry: String
            if ListenAddress(host: name, port: 0) != nil {
                entry = "IP:\(name)"
            } else if isHostName(name) {
                entry = "DNS:\(name)"
            } else {
                continue
            }
            if !found.contains(entry) { found.append(entry) }
        }
        return found.joined(separator: ",")
    }

    /// Letters, digits, hyphens and dots. Source: RFC 1123, 2.1.
    private static func isHostName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 64 && !name.hasPrefix("-") && !name.hasPrefix(".")
            && name.utf8.allSatisfy {
                switch $0 {
                case 48...57, 65...90, 97...122, 45, 46: true
                default: false
                }
            }
    }

    private static func pem(_ key: OpaquePointer, _ certificate: OpaquePointer) throws(TLSFault) -> [UInt8] {
        guard let bio = BIO_new(BIO_s_mem()) else { throw TLSFault.openSSL("no certificate could be written") }
        defer { BIO_free(bio) }
        guard PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1,
            PEM_write_bio_X509(bio, certificate) == 1
        else { throw TLSFault.openSSL("no certificate could be written") }
        var bytes = [UInt8](repeating: 0, count: CertificateFiles.byteLimit)
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        guard count > 0 else { throw TLSFault.openSSL("no certificate could be written") }
        return Array(bytes.prefix(Int(count)))
    }
}
