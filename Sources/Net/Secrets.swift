import COpenSSL
import Glibc

/// The few pieces of cryptography that protocols here need, from OpenSSL. All are functions of their arguments; any thread.
public enum Secrets {
    /// `count` bytes that nobody can guess. Without them no secret is safe, so the process ends where the system gives none.
    /// Source: RAND_bytes(3).
    public static func random(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let isRandom = RAND_bytes(&bytes, Int32(count)) == 1
        precondition(isRandom, "the system gives no random numbers")
        return bytes
    }

    /// Whether both are equal, in a time that depends on their lengths alone. Source: CRYPTO_memcmp(3).
    public static func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
    }

    /// 20 bytes; only for WebSocket's handshake, where SHA-1 guards nothing. Source: RFC 6455, 4.2.2.
    public static func sha1(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha1(), 20) }

    /// 32 bytes.
    public static func sha256(_ bytes: [UInt8]) -> [UInt8] { digest(bytes, EVP_sha256(), 32) }

    private static func digest(_ bytes: [UInt8], _ kind: OpaquePointer?, _ size: Int) -> [UInt8] {
        var result = [UInt8](repeating: 0, count: size)
        var count = UInt32(size)
        _ = EVP_Digest(bytes, bytes.count, &result, &count, kind, nil)
        return result
    }

    /// The answer to VNC's challenge of 16 bytes: it, encrypted by single DES with the password's first 8 bytes, each with its bits
    /// in reverse order. Source: RFC 6143, 7.2.2.
    ///
    /// Single DES lies in OpenSSL's legacy provider, which may be absent. Triple DES with three equal keys is the same:
    /// encrypt, decrypt, encrypt.
    public static func vncResponse(to challenge: [UInt8], password: [UInt8]) -> [UInt8]? {
        guard challenge.count == 16, let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        var key = [UInt8](repeating: 0, count: 8)
        for (place, byte) in password.prefix(8).enumerated() { key[place] = reversed(byte) }
        var response = [UInt8](repeating: 0, count: 32)
        var count: Int32 = 0
        guard EVP_EncryptInit_ex(context, EVP_des_ede3_ecb(), nil, key + key + key, nil) == 1,
            EVP_CIPHER_CTX_set_padding(context, 0) == 1,
            EVP_EncryptUpdate(context, &response, &count, challenge, 16) == 1, count == 16
        else {
            ERR_clear_error()
            return nil
        }
        return Array(response.prefix(16))
    }

    private static func reversed(_ byte: UInt8) -> UInt8 {
        var (rest, result) = (byte, UInt8(0))
        for _ in 0..<8 {
            result = result << 1 | rest & 1
            rest >>= 1
        }
        return result
    }
}
