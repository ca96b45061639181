import COpenSSL

/// The public half of an Ed25519 key (RFC 8032): says whether a signature is of its owner.
///
/// A value; any thread. Every check makes its OpenSSL objects anew and frees them.
public struct VerifyingKey: Hashable, Sendable {
    /// The key itself: 32 bytes.
    public let bytes: [UInt8]

    public static let byteCount = 32
    public static let signatureByteCount = 64

    /// A public key in PEM (`-----BEGIN PUBLIC KEY-----`, RFC 8410), as `openssl pkey -pubout` writes it.
    ///
    /// Throws where the text is no PEM, holds a private key, or a key of another kind than Ed25519.
    public init(pem: [UInt8]) throws(SigningFault) {
        let text = String(decoding: pem, as: UTF8.self)
        if text.contains("PRIVATE KEY") {
            throw SigningFault(
                "it holds a private key, which has no business on a lane; write its public half: openssl pkey -in FILE -pubout"
            )
        }
        guard let key = PEM.read(pem, { PEM_read_bio_PUBKEY($0, nil, PEM.noPassphrase, nil) }) else {
            throw SigningFault.openSSL("it is no public key in PEM")
        }
        defer { EVP_PKEY_free(key) }
        bytes = try PEM.rawBytes(of: key, EVP_PKEY_get_raw_public_key)
    }

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The key in PEM, as `init(pem:)` reads it.
    public func pem() throws(SigningFault) -> [UInt8] {
        ERR_clear_error()
        guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count) else {
            throw SigningFault.openSSL("the key cannot be used")
        }
        defer { EVP_PKEY_free(key) }
        guard let bio = BIO_new(BIO_s_mem()) else { throw SigningFault.openSSL("the key cannot be written") }
        defer { BIO_free(bio) }
        var text = [UInt8](repeating: 0, count: 1024)
        guard PEM_write_bio_PUBKEY(bio, key) == 1 else { throw SigningFault.openSSL("the key cannot be written") }
        let count = BIO_read(bio, &text, Int32(text.count))
        guard count > 0 else { throw SigningFault.openSSL("the key cannot be written") }
        return Array(text.prefix(Int(count)))
    }

    /// Whether `signature` is this key's, of exactly `message`. False for anything malformed.
    public func isSignature(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == Self.signatureByteCount,
            let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return false }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        // Ed25519 takes the message whole, and no digest's name. Source: EVP_SIGNATURE-ED25519(7).
        guard EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1 else { return false }
        let isGood = EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
        ERR_clear_error()
        return isGood
    }
}

/// What both kinds of key need of OpenSSL's PEM reader.
enum PEM {
    /// The largest key file that is read: an Ed25519 key has some 120 bytes.
    static let limit = 16 << 10

    /// Without a call-back OpenSSL would ask the terminal for a passphrase. Source: PEM_read_bio_PrivateKey(3).
    static let noPassphrase:
        @convention(c) (UnsafeMutablePointer<CChar>?, Int32, Int32, UnsafeMutableRawPointer?) -> Int32 = { _, _, _, _ in
            -1
        }

    /// The caller frees what is returned.
    static func read(_ pem: [UInt8], _ reader: (OpaquePointer) -> OpaquePointer?) -> OpaquePointer? {
        guard pem.count <= limit, let bio = BIO_new_mem_buf(pem, Int32(pem.count)) else { return nil }
        defer { BIO_free(bio) }
        ERR_clear_error()
        return reader(bio)
    }

    static func rawBytes(
        of key: OpaquePointer,
        _ get: (OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?) -> Int32
    ) throws(SigningFault) -> [UInt8] {
        guard EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 else {
            throw SigningFault("it is no Ed25519 key; make one with: openssl genpkey -algorithm ed25519")
        }
        var bytes = [UInt8](repeating: 0, count: VerifyingKey.byteCount)
        var count = bytes.count
        guard get(key, &bytes, &count) == 1, count == VerifyingKey.byteCount else {
            throw SigningFault.openSSL("the key cannot be read")
        }
        return bytes
    }
}
