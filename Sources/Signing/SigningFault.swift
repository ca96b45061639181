import COpenSSL

/// Why a key cannot be used; one sentence.
public struct SigningFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }

    /// `sentence` with OpenSSL's own reason behind it, where it left one. Source: ERR_get_error(3).
    static func openSSL(_ sentence: String) -> SigningFault {
        var code: UInt = 0
        while case let next = ERR_get_error(), next != 0 { code = next }
        guard code != 0, let reason = ERR_reason_error_string(code) else { return SigningFault(sentence) }
        return SigningFault("\(sentence) (OpenSSL says: \(String(cString: reason)))")
    }
}
