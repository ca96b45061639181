import Rules

/// Rule bundles: as read, and made of the input's parts between NULs, as no lot finds a digest.
enum Bundles {
    @Sendable static func run(_ input: [UInt8]) {
        if let bundle = decoded(input) { isKept(bundle) }
        let parts = input.split(separator: 0, maxSplits: 5, omittingEmptySubsequences: false).map { part in
            Array(String(decoding: part, as: UTF8.self).utf8)
        }
        let name = String(decoding: parts[0], as: UTF8.self)
        var bundle = RuleBundle(
            name: name, version: "1",
            files: parts.dropFirst().enumerated().map { RuleBundle.File(name: "\($0).yaml", bytes: $1) })
        bundle.signatures = [RuleBundle.Signature(key: RuleBundle.name(ofKey: input), bytes: Array(input.prefix(64)))]
        if RuleBundle.fault(inName: name) == nil, parts.count > 1 {
            isKept(bundle)
        } else {
            require(decoded(bundle.encoded) == nil, "a bundle with a wrong name or without files is refused")
        }
    }

    private static func decoded(_ bytes: [UInt8]) -> RuleBundle? {
        do throws(BundleFault) { return try RuleBundle(decoding: bytes) } catch {
            require(WrittenFiles.isShown(error.message), "a message is one plain line: \(error.message)")
            return nil
        }
    }

    private static func isKept(_ bundle: RuleBundle) {
        let bytes = bundle.encoded
        let again = decoded(bytes)
        require(again == bundle, "a bundle written and read is the same: \(bundle)")
        require(again?.encoded == bytes, "a bundle written twice is the same")
        let lines = bundle.signedText.split(separator: 0x0A, omittingEmptySubsequences: false)
        require(lines.count == 5, "what is signed has a line for each of its parts")
        let files = bundle.files.map { (name: $0.name, bytes: $0.bytes) }
        if let set = RuleFile.load(files: files).ruleSet {
            require(set.digest == bundle.digest, "a bundle and its files have one digest")
        }
    }
}
