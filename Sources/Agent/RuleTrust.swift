import Loop
import Rules
import Signing
import YAML

/// Whose rule sets this lane takes.
public struct RuleTrust: Sendable {
    public var keys: [VerifyingKey]
    /// Only bundles that one of `keys` has signed.
    public var isRequired: Bool

    /// Everything that the configuration names.
    public static let everybody = RuleTrust(keys: [], isRequired: false)

    public init(keys: [VerifyingKey], isRequired: Bool) {
        self.keys = keys
        self.isRequired = isRequired
    }

    /// The keys that the configuration names, read; errors stand at their place in it.
    public static func load(_ configuration: Configuration, _ source: SourceText) -> (RuleTrust, [Diagnostic]) {
        let findings = Findings(source)
        var keys: [VerifyingKey] = []
        for key in configuration.signing.keys {
            do throws(SystemError) {
                let pem = try FileBytes.read(key.path, limit: 16 << 10)
                do throws(SigningFault) { keys.append(try VerifyingKey(pem: pem)) } catch {
                    findings.error("\(key.path) cannot be a key: \(error)", at: key.range)
                }
            } catch {
                findings.error("\(key.path) cannot be read: \(SystemError.text(of: error.code))", at: key.range)
            }
        }
        return (RuleTrust(keys: keys, isRequired: configuration.signing.isRequired), findings.inLineOrder)
    }

    /// Why the bundle is not to be taken; nil where it is.
    func refusal(of bundle: RuleBundle) -> (message: String, help: String)? {
        var isSigned = false
        for signature in bundle.signatures {
            let named = keys.filter { RuleBundle.name(ofKey: $0.bytes) == signature.key }
            guard !named.isEmpty else { continue }
            if named.contains(where: { $0.isSignature(signature.bytes, of: bundle.signedText) }) {
                isSigned = true
            } else {
                return (
                    "the signature of key \(signature.key) is wrong: the bundle is not what was signed",
                    "take it from its maker again; lanewatch bundle --key signs anew"
                )
            }
        }
        guard isRequired, !isSigned else { return nil }
        let known = keys.map { RuleBundle.name(ofKey: $0.bytes) }.joined(separator: ", ")
        if bundle.signatures.isEmpty {
            return (
                "the bundle is not signed, and this lane takes signed rules only",
                "sign it with lanewatch bundle --key; this lane knows the keys \(known)"
            )
        }
        let used = bundle.signatures.map { Shown.plain($0.key) }.joined(separator: ", ")
        return (
            "the bundle is signed with a key that this lane does not know: \(used)",
            "this lane knows the keys \(known); add the key's public half under signing, or sign with one of these"
        )
    }
}
