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
    ///   - paths: files, folders that stand for their rule files (`RuleFolder`), and bundles, which end in `.bundle`: their files
    ///     take their place, once `trust` has nothing against it.
    ///   - wall: what the time is, for warnings about what is over; nil where that does not matter.
    public static func load(
        _ paths: [String], trust: RuleTrust = .everybody, at wall: WallInstant? = nil
    ) -> (rules: RuleFiles?, diagnostics: [Diagnostic]) {
        let found = read(paths, trust: trust)
        return found.faults.isEmpty ? check(found.files, at: wall) : (nil, found.faults)
    }

    /// Checks files that were read.
    public static func check(
        _ files: [(name: String, bytes: [UInt8])], at wall: WallInstant? = nil
    ) -> (rules: RuleFiles?, diagnostics: [Diagnostic]) {
        let (set, diagnostics) = RuleFile.load(files: files, at: wall)
        return (set.map { RuleFiles(files: files, set: $0) }, diagnostics)
    }

    /// What came of reading `paths`, before anybody looks into the files.
    public struct Read: Sendable {
        public var files: [(name: String, bytes: [UInt8])] = []
        /// Something in it: not all that was named is in `files`, or not all may be taken.
        public var faults: [Diagnostic] = []
        /// The system gave everything that was asked of it.
        public var isReadable = true

        fileprivate var seen: [RuleFolder.FileIdentity: String] = [:]
        fileprivate var left = RuleFiles.limit

        fileprivate mutating func refuse(_ path: String, _ message: String, _ help: String? = nil) {
            faults.append(Diagnostic(file: path, message: message, help: help))
        }

        fileprivate mutating func refuse(_ path: String, _ error: SystemError) {
            isReadable = false
            refuse(path, "cannot be read: \(SystemError.text(of: error.code))")
        }
    }

    public static func read(_ paths: [String], trust: RuleTrust = .everybody) -> Read {
        var read = Read()
        for path in paths.map({ RuleFolder.tidied($0) }) {
            guard RuleFolder.isFolder(path) == true else {
                add(path, trust, to: &read)
                continue
            }
            do throws(SystemError) {
                let files = try RuleFolder.files(of: path)
                for file in files { add(file, trust, to: &read) }
                if files.isEmpty {
                    read.refuse(
                        path, "this folder holds no rule files",
                        "rule files end in .yaml; hidden files, *.test.yaml, signals.yaml and folders in it are not read"
                    )
                }
            } catch {
                read.refuse(path, error)
            }
        }
        return read
    }

    private static func add(_ path: String, _ trust: RuleTrust, to read: inout Read) {
        let identity = RuleFolder.identity(of: path)
        if let identity, let other = read.seen[identity] {
            return read.refuse(
                path, other == path ? "this file is named twice" : "this file is named twice, also as \(other)",
                "name it once, by itself or by its folder")
        }
        let bytes: [UInt8]
        do throws(SystemError) { bytes = try FileBytes.read(path, limit: read.left) } catch {
            guard error.code == EFBIG else { return read.refuse(path, error) }
            return read.refuse(
                path, "with this file the rules have more than \(limit >> 20) MiB together, the most of a set")
        }
        read.left -= bytes.count
        if let identity { read.seen[identity] = path }
        guard path.hasSuffix(".bundle") else {
            if trust.isRequired {
                read.refuse(
                    path, "it is not signed, and this lane takes signed rules only",
                    "make a bundle of it: lanewatch bundle --key KEY FOLDER")
            }
            read.files.append((path, bytes))
            return
        }
        do throws(BundleFault) {
            let bundle = try RuleBundle(decoding: bytes)
            if let (message, help) = trust.refusal(of: bundle) { read.refuse(path, message, help) }
            for file in bundle.files { read.files.append(("\(path)/\(file.name)", file.bytes)) }
        } catch {
            read.refuse(path, error.message, error.help)
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
