import COpenSSL

/// A private Ed25519 key (RFC 8032): signs. It belongs on the machine that makes bundles, never on a lane.
public struct SigningKey: Sendable {
    private let seed: [UInt8]
    /// The half that lanes need.
    public let verifyingKey: VerifyingKey

    /// A private key in PEM (`-----BEGIN PRIVATE KEY-----`, RFC 8410), as `openssl genpkey -algorithm ed25519` writes it.
    ///
    /// Throws where the text is no PEM, is encrypted (nobody is asked for a passphrase), or is a key of another kind.
    public init(pem: [UInt8]) throws(SigningFault) {
        if String(decoding: pem, as: UTF8.self).contains("ENCRYPTED PRIVATE KEY") {
            throw SigningFault(
                "it is encrypted, and nobody is asked for a passphrase here; decrypt it into a pipe: --key <(openssl pkey -in FILE)"
            )
        }
        guard let key = PEM.read(pem, { PEM_read_bio_PrivateKey($0, nil, PEM.noPassphrase, nil) }) else {
            throw SigningFault.openSSL("it is no private key in PEM")
        }
        defer { EVP_PKEY_free(key) }
        seed = try PEM.rawBytes(of: key, EVP_PKEY_get_raw_private_key)
        verifyingKey = VerifyingKey(try PEM.rawBytes(of: key, EVP_PKEY_get_raw_public_key))
    }

    /// A key that nobody had before.
    public static func made() throws(SigningFault) -> SigningKey {
        ERR_clear_error()
        guard let key = lw_new_ed25519_key() else { throw SigningFault.openSSL("no key could be made") }
        defer { EVP_PKEY_free(key) }
        let seed = try PEM.rawBytes(of: key, EVP_PKEY_get_raw_private_key)
        return SigningKey(
            seed: seed, verifyingKey: VerifyingKey(try PEM.rawBytes(of: key, EVP_PKEY_get_raw_public_key)))
    }

    private init(seed: [UInt8], verifyingKey: VerifyingKey) {
        self.seed = seed
        self.verifyingKey = verifyingKey
    }

    /// The key in PEM, unencrypted, as `init(pem:)` reads it: for a file that its owner alone may read.
    public func pem() throws(SigningFault) -> [UInt8] {
        ERR_clear_error()
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
            throw SigningFault.openSSL("the key cannot be used")
        }
        defer { EVP_PKEY_free(key) }
        guard let bio = BIO_new(BIO_s_mem()) else { throw SigningFault.openSSL("the key cannot be written") }
        defer { BIO_free(bio) }
        var bytes = [UInt8](repeating: 0, count: 1024)
        guard PEM_write_bio_PrivateKey(bio, key, nil, nil, 0, nil, nil) == 1 else {
            throw SigningFault.openSSL("the key cannot be written")
        }
        let count = BIO_read(bio, &bytes, Int32(bytes.count))
        guard count > 0 else { throw SigningFault.openSSL("the key cannot be written") }
        return Array(bytes.prefix(Int(count)))
    }

    /// The signature of `message`: 64 bytes, the same each time.
    public func sign(_ message: [UInt8]) throws(SigningFault) -> [UInt8] {
        guard let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count) else {
            throw SigningFault.openSSL("the key cannot be used")
        }
        defer { EVP_PKEY_free(key) }
        guard let context = EVP_MD_CTX_new() else { throw SigningFault.openSSL("the key cannot be used") }
        defer { EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: VerifyingKey.signatureByteCount)
        var count = signature.count
        guard EVP_DigestSignInit(context, nil, nil, nil, key) == 1,
            EVP_DigestSign(context, &signature, &count, message, message.count) == 1,
            count == VerifyingKey.signatureByteCount
        else { throw SigningFault.openSSL("nothing could be signed") }
        return signature
    }
}
