import COpenSSL
import Glibc

/// Why TLS cannot be served: one sentence with the way out. No key material in it.
public struct TLSFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }

    /// `sentence` with OpenSSL's own reason behind it, where it left one. Source: ERR_get_error(3).
    static func openSSL(_ sentence: String) -> TLSFault {
        var code: UInt = 0
        while case let next = ERR_get_error(), next != 0 { code = next }
        guard code != 0, let reason = ERR_reason_error_string(code) else { return TLSFault(sentence) }
        return TLSFault("\(sentence) (OpenSSL says: \(String(cString: reason)))")
    }
}

/// A server's certificate and key, ready for sessions: TLS 1.2 and 1.3, no renegotiation, no compression, no session cache.
///
/// Never changed after `init`: a renewed certificate is a new context, and sessions keep the one that they began with.
public final class TLSContext: @unchecked Sendable {
    // @unchecked: OpenSSL counts the context's references under its own lock, and nobody here changes it after init.
    let raw: OpaquePointer
    /// Of the first certificate: what clients see.
    public let certificate: Certificate
    /// SHA-256 of the certificate, as `AB:CD:…`: what people compare.
    public let fingerprint: String

    deinit { SSL_CTX_free(raw) }

    /// - Parameters:
    ///   - certificate: PEM: the server's certificate, then those of its chain.
    ///   - key: PEM: the private key of the first certificate, unencrypted. May be the same bytes as `certificate`.
    public init(certificate: [UInt8], key: [UInt8]) throws(TLSFault) {
        ERR_clear_error()
        let chain = try Self.certificates(certificate)
        defer { for one in chain { X509_free(one) } }
        guard let leaf = chain.first else { throw TLSFault("there is no certificate in PEM") }
        let secret = try Self.privateKey(key)
        defer { EVP_PKEY_free(secret) }
        guard let context = SSL_CTX_new(TLS_server_method()) else { throw TLSFault.openSSL("no TLS here") }
        lw_ssl_ctx_prepare_server(context)
        // No tickets to go on with a session: TigerVNC's viewer (1.12), told of one together with the answer to its credential,
        // looks at the ticket alone and waits for ever.
        SSL_CTX_set_num_tickets(context, 0)
        do throws(TLSFault) {
            guard SSL_CTX_use_certificate(context, leaf) == 1 else {
                throw TLSFault.openSSL("the certificate cannot be used")
            }
            for more in chain.dropFirst() {
                // Takes over the reference where it succeeds. Source: SSL_CTX_add_extra_chain_cert(3).
                X509_up_ref(more)
                guard SSL_CTX_ctrl(context, SSL_CTRL_EXTRA_CHAIN_CERT, 0, UnsafeMutableRawPointer(more)) == 1 else {
                    X509_free(more)
                    throw TLSFault.openSSL("a certificate of the chain cannot be used")
                }
            }
            guard SSL_CTX_use_PrivateKey(context, secret) == 1, SSL_CTX_check_private_key(context) == 1 else {
                throw TLSFault.openSSL("the key is not the certificate's; give the two that were made together")
            }
        } catch {
            SSL_CTX_free(context)
            throw error
        }
        raw = context
        self.certificate = Certificate(leaf)
        fingerprint = Self.fingerprint(of: leaf)
    }

    private static func certificates(_ pem: [UInt8]) throws(TLSFault) -> [OpaquePointer] {
        guard pem.count <= CertificateFiles.byteLimit, let bio = BIO_new_mem_buf(pem, Int32(pem.count)) else {
            throw TLSFault("the certificates have more than \(CertificateFiles.byteLimit) bytes")
        }
        defer { BIO_free(bio) }
        // Reading ends with "no start line", which is no fault.
        defer { ERR_clear_error() }
        var found: [OpaquePointer] = []
        while found.count < 16, let next = PEM_read_bio_X509(bio, nil, noPassphrase, nil) { found.append(next) }
        return found
    }

    private static func privateKey(_ pem: [UInt8]) throws(TLSFault) -> OpaquePointer {
        guard pem.count <= CertificateFiles.byteLimit, let bio = BIO_new_mem_buf(pem, Int32(pem.count)) else {
            throw TLSFault("the key has more than \(CertificateFiles.byteLimit) bytes")
        }
        defer { BIO_free(bio) }
        guard let key = PEM_read_bio_PrivateKey(bio, nil, noPassphrase, nil) else {
            throw TLSFault.openSSL("there is no private key in PEM without a passphrase")
        }
        return key
    }

    private static func fingerprint(of certificate: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        var count: UInt32 = 32
        guard X509_digest(certificate, EVP_sha256(), &digest, &count) == 1, count == 32 else { return "" }
        let digits = Array("0123456789ABCDEF")
        return digest.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
    }
}

/// Without a call-back OpenSSL would ask the terminal for a passphrase. Source: PEM_read_bio_PrivateKey(3).
private let noPassphrase:
    @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = { _, _, _, _ in -1
    }
