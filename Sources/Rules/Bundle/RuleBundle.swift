import Lane
import YAML

/// A rule set in one file, with a digest and maybe signatures: what is carried to lanes.
///
/// ```json
/// {
///   "format": 1,
///   "name": "store-rules",
///   "version": "2026-11-21",
///   "digest": "sha256:…",
///   "files": [
///     {"name": "lane.yaml", "text": "format: 1\n…"}
///   ],
///   "signatures": [
///     {"key": "9f86d081884c7d65", "signature": "…128 hex digits…"}
///   ]
/// }
/// ```
///
/// The digest is that of `RuleFile.digest`: the same set has the same one, as files or as a bundle. What is signed is
/// `signedText`: name, version and digest, so that neither rules nor their names can be put under another's signature.
public struct RuleBundle: Hashable, Sendable {
    public struct File: Hashable, Sendable {
        /// Without folders.
        public var name: String
        public var bytes: [UInt8]
        public init(name: String, bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    public struct Signature: Hashable, Sendable {
        /// Which key: the first 16 hex digits of the SHA-256 of its 32 bytes. A hint, nothing is trusted for it.
        public var key: String
        public var bytes: [UInt8]
        public init(key: String, bytes: [UInt8]) {
            self.key = key
            self.bytes = bytes
        }
    }

    /// Files of a bundle, at most.
    public static let maximumFiles = 1000
    public static let maximumSignatures = 16
    /// Bytes of a name or a version, at most; one line.
    public static let maximumNameBytes = 128

    public var name: String
    public var version: String
    public let files: [File]
    public let digest: String
    public var signatures: [Signature]

    /// - Parameter files: In load order.
    public init(name: String, version: String, files: [File]) {
        self.name = name
        self.version = version
        self.files = files
        digest = RuleFile.digest(of: files.map { ($0.name, $0.bytes) })
        signatures = []
    }

    /// What a signature is of. The first line keeps it from being taken for anything else that the key ever signs.
    public var signedText: [UInt8] {
        Array("lanewatch rule bundle 1\nname \(name)\nversion \(version)\ndigest \(digest)\n".utf8)
    }

    /// How a key is named in `Signature.key`.
    public static func name(ofKey bytes: [UInt8]) -> String { String(SHA256.hex(bytes).prefix(16)) }

    /// What a name or a version must be to stand on a line of `signedText`; nil where it is.
    public static func fault(inName text: String) -> String? {
        if text.isEmpty { return "it is empty" }
        if text.utf8.count > maximumNameBytes { return "it has more than \(maximumNameBytes) bytes" }
        let isGood = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
        return isGood ? nil : "it may hold visible ASCII signs only, no blanks and no quotes"
    }
}

/// Why a file is no bundle; one sentence, and what to do.
public struct BundleFault: Error, Hashable, Sendable {
    public var message: String
    public var help: String?
    init(_ message: String, help: String? = nil) {
        self.message = message
        self.help = help
    }
}

extension RuleBundle {
    /// As a file: UTF-8, the same bytes for the same bundle.
    public var encoded: [UInt8] {
        func quoted(_ text: String) -> String {
            var json = JSONWriter()
            json.value(text)
            return json.text
        }
        let files = self.files.map { file in
            "    {\"name\": \(quoted(file.name)), \"text\": \(quoted(String(decoding: file.bytes, as: UTF8.self)))}"
        }
        let signatures = self.signatures.map { signature in
            "    {\"key\": \(quoted(signature.key)), \"signature\": \(quoted(Hex.text(signature.bytes)))}"
        }
        func list(_ lines: [String]) -> String {
            lines.isEmpty ? "[]" : "[\n" + lines.joined(separator: ",\n") + "\n  ]"
        }
        let text = """
            {
              "format": 1,
              "name": \(quoted(name)),
              "version": \(quoted(version)),
              "digest": \(quoted(digest)),
              "files": \(list(files)),
              "signatures": \(list(signatures))
            }

            """
        return Array(text.utf8)
    }

    /// Reads what `encoded` wrote, and holds the digest against the files. Signatures are not judged here.
    public init(decoding bytes: [UInt8]) throws(BundleFault) {
        let root: JSONValue
        do throws(JSONFault) { root = try JSONValue(parsing: bytes) } catch {
            throw BundleFault("it is no bundle: not readable as JSON: \(error)", help: Self.makeOne)
        }
        guard root["format"]?.int == 1 else {
            throw BundleFault("it is no bundle of format 1, the only one this agent knows", help: Self.makeOne)
        }
        guard let name = root["name"]?.text, let version = root["version"]?.text, let digest = root["digest"]?.text,
            let files = root["files"]?.elements, let signatures = root["signatures"]?.elements
        else { throw BundleFault("the bundle lacks name, version, digest, files or signatures", help: Self.makeOne) }
        for (what, text) in [("name", name), ("version", version)] {
            if let fault = Self.fault(inName: text) { throw BundleFault("the bundle's \(what): \(fault)") }
        }
        guard (1...Self.maximumFiles).contains(files.count), signatures.count <= Self.maximumSignatures else {
            throw BundleFault(
                "the bundle holds \(files.count) files and \(signatures.count) signatures; "
                    + "1 to \(Self.maximumFiles) and at most \(Self.maximumSignatures) are allowed")
        }
        self.init(name: name, version: version, files: try files.map(Self.file))
        guard digest == self.digest else {
            throw BundleFault(
                "the bundle's files are not those its digest is of: it was altered or damaged",
                help: "it says \(digest), its files give \(self.digest)")
        }
        self.signatures = try signatures.map(Self.signature)
    }

    private static let makeOne = "lanewatch bundle FOLDER makes one"

    private static func file(_ value: JSONValue) throws(BundleFault) -> File {
        guard let name = value["name"]?.text, let text = value["text"]?.text else {
            throw BundleFault("a file of the bundle lacks its name or its text", help: makeOne)
        }
        guard !name.isEmpty, !name.contains("/"), fault(inName: name) == nil else {
            throw BundleFault("a file of the bundle has a name that is none: \(Shown.quoted(name))", help: makeOne)
        }
        return File(name: name, bytes: Array(text.utf8))
    }

    private static func signature(_ value: JSONValue) throws(BundleFault) -> Signature {
        guard let key = value["key"]?.text, let bytes = value["signature"]?.text.flatMap(Hex.bytes) else {
            throw BundleFault("a signature of the bundle is not readable")
        }
        return Signature(key: key, bytes: bytes)
    }
}

enum Hex {
    static func text(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    static func bytes(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count % 2 == 0, digits.count <= 4096 else { return nil }
        func value(_ digit: UInt8) -> UInt8? {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
            default: nil
            }
        }
        var bytes: [UInt8] = []
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = value(digits[place]), let low = value(digits[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }
}
