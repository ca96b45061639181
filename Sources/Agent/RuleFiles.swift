import Glibc
import Lane
import Loop
import Rules
import YAML

/// The rule files that a configuration or a command names, read from disk: their text, and the set they make.
///
/// Every command and the agent itself read rule files here, so that a set is the same set everywhere.
public struct RuleFiles: Sendable {
    /// Most bytes of all files of a set together.
    public static let limit = 16 << 20

    public var files: [(name: String, bytes: [UInt8])]
    public var set: RuleSet

    /// Reads and checks `paths` as one set. Nil where one cannot be read or is wrong; `diagnostics` says why, and holds
    /// warnings otherwise.
    ///
    /// - Parameters:
    ///   - paths: files, folders that stand for their rule files (`RuleFolder`), and bundles (`.bundle`), whose files take
    ///     their place once `trust` has nothing against them.
    ///   - wall: what the time is, for warnings about what is over; nil where that does not matter.
    public static func load(
        _ paths: [String], trust: RuleTrust = .everybody, at wall: WallInstant? = nil
    ) -> (rules: RuleFiles?, diagnostics: [Diagnostic]) {
        let (files, faults, _) = read(paths, trust: trust)
        return faults.isEmpty ? check(files, at: wall) : (nil, faults)
    }

    /// Checks files that were read.
    public static func check(
        _ files: [(name: String, bytes: [UInt8])], at wall: WallInstant? = nil
    ) -> (rules: RuleFiles?, diagnostics: [Diagnostic]) {
        let (set, diagnostics) = RuleFile.load(files: files, at: wall)
        return (set.map { RuleFiles(files: files, set: $0) }, diagnostics)
    }

    /// Reads `paths` without looking into rule files. Something in `faults`: not all that was named is in `files`, because it
    /// cannot be read (`isUnreadable`), or because it is a bundle that is damaged or not trusted.
    public static func read(
        _ paths: [String], trust: RuleTrust = .everybody
    ) -> (files: [(name: String, bytes: [UInt8])], faults: [Diagnostic], isUnreadable: Bool) {
        var files: [(name: String, bytes: [UInt8])] = []
        var faults: [Diagnostic] = []
        var isUnreadable = false
        var names: [RuleFolder.FileIdentity: String] = [:]
        var left = limit
        func distrust(_ path: String, _ message: String, _ help: String?) {
            faults.append(Diagnostic(file: path, message: message, help: help))
        }
        func refuse(_ path: String, _ message: String, help: String? = nil) {
            isUnreadable = true
            faults.append(Diagnostic(file: path, message: message, help: help))
        }
        for path in paths.flatMap({ expanded($0, refuse) }) {
            let identity = RuleFolder.identity(of: path)
            if let identity, let other = names[identity] {
                refuse(
                    path, other == path ? "this file is named twice" : "this file is named twice, also as \(other)",
                    help: "name it once, by itself or by its folder")
                continue
            }
            do throws(SystemError) {
                let bytes = try FileBytes.read(path, limit: left)
                left -= bytes.count
                if let identity { names[identity] = path }
                if path.hasSuffix(".bundle") {
                    do throws(BundleFault) {
                        let bundle = try RuleBundle(decoding: bytes)
                        if let (message, help) = trust.refusal(of: bundle) { distrust(path, message, help) }
                        for file in bundle.files { files.append(("\(path)/\(file.name)", file.bytes)) }
                    } catch {
                        distrust(path, error.message, error.help)
                    }
                    continue
                }
                if trust.isRequired {
                    distrust(
                        path, "it is not signed, and this lane takes signed rules only",
                        "make a bundle of it: lanewatch bundle --key KEY FOLDER")
                }
                files.append((path, bytes))
            } catch {
                if error.code == EFBIG {
                    refuse(path, "the rule files have more than \(limit >> 20) MiB together, the most of a set")
                    break
                }
                refuse(path, "cannot be read: \(SystemError.text(of: error.code))")
            }
        }
        return (files, faults, isUnreadable)
    }

    /// `path`, or the rule files of the folder that it is.
    private static func expanded(
        _ path: String, _ refuse: (_ path: String, _ message: String, _ help: String?) -> Void
    ) -> [String] {
        guard RuleFolder.isFolder(path) == true else { return [path] }
        do throws(SystemError) {
            let files = try RuleFolder.files(of: path)
            if files.isEmpty {
                refuse(
                    path, "this folder holds no rule files",
                    "rule files end in .yaml; hidden files, *.test.yaml, signals.yaml and folders in it are not read")
            }
            return files
        } catch {
            refuse(path, "cannot be read: \(SystemError.text(of: error.code))", nil)
            return []
        }
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
