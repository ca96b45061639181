import Lane
import Loop
import Rules
import YAML

/// The rule files that a configuration names, read from disk: their text, and the set they make.
public struct RuleFiles: Sendable {
    public static let limit = 16 << 20

    public var files: [(name: String, bytes: [UInt8])]
    public var set: RuleSet

    /// Reads and checks `paths` as one set. Nil where one cannot be read or is wrong; `diagnostics` says why, and holds
    /// warnings otherwise.
    ///
    /// A path that ends in `.bundle` is a bundle: its files take its place, once `trust` has nothing against it.
    public static func load(
        _ paths: [String], trust: RuleTrust = .everybody
    ) -> (rules: RuleFiles?, diagnostics: [Diagnostic]) {
        var files: [(name: String, bytes: [UInt8])] = []
        var unreadable: [Diagnostic] = []
        func refuse(_ path: String, _ message: String, _ help: String?) {
            unreadable.append(
                Diagnostic(file: path, range: nil, severity: .error, message: message, help: help, source: nil))
        }
        for path in paths {
            do throws(SystemError) {
                let bytes = try FileBytes.read(path, limit: limit)
                guard path.hasSuffix(".bundle") else {
                    if trust.isRequired {
                        refuse(
                            path, "it is not signed, and this lane takes signed rules only",
                            "make a bundle of it: lanewatch bundle --key KEY FOLDER")
                    }
                    files.append((path, bytes))
                    continue
                }
                do throws(BundleFault) {
                    let bundle = try RuleBundle(decoding: bytes)
                    if let (message, help) = trust.refusal(of: bundle) { refuse(path, message, help) }
                    for file in bundle.files { files.append(("\(path)/\(file.name)", file.bytes)) }
                } catch {
                    refuse(path, error.message, error.help)
                }
            } catch {
                unreadable.append(
                    Diagnostic(
                        file: path, range: nil, severity: .error,
                        message: "cannot be read: \(SystemError.text(of: error.code))", help: nil, source: nil))
            }
        }
        guard unreadable.isEmpty else { return (nil, unreadable) }
        let (set, diagnostics) = RuleFile.load(files: files)
        return (set.map { RuleFiles(files: files, set: $0) }, diagnostics)
    }

    // MARK: Kept in the outbox

    /// The files as JSON: a journal is replayed under the rules it was written under, whatever the files say by then.
    var kept: [UInt8] {
        var json = JSONWriter()
        json.array { json in
            for file in files {
                json.object { json in
                    json.member("name", file.name)
                    json.member("text", String(decoding: file.bytes, as: UTF8.self))
                }
            }
        }
        return json.bytes
    }

    /// What `kept` wrote; nil where it is not readable, or was right only for another version of the agent.
    static func restored(from bytes: [UInt8]?) -> RuleFiles? {
        guard let bytes, let elements = (try? JSONValue(parsing: bytes))?.elements else { return nil }
        let files = elements.compactMap { element -> (name: String, bytes: [UInt8])? in
            guard let name = element["name"]?.text, let text = element["text"]?.text else { return nil }
            return (name, Array(text.utf8))
        }
        guard files.count == elements.count, let set = RuleFile.load(files: files).ruleSet else { return nil }
        return RuleFiles(files: files, set: set)
    }
}
