import CLinux
import Glibc
import Loop

/// A folder of rule files, as `conf.d` folders are: the one place that says which of its files are rules.
///
/// A folder stands for its `*.yaml` in the byte order of their names: what a lane runs must not depend on a locale. Left out
/// are hidden files, tests (`*.test.yaml`), the signal catalogue (`signals.yaml`) and what is no file: there is no recursion,
/// so that a folder can be read at a glance.
enum RuleFolder {
    /// Most entries of a folder: more is no folder of rules.
    static let maximumEntries = 10_000

    /// Whether `path` is a folder; nil where nothing is there that can be looked at.
    static func isFolder(_ path: String) -> Bool? { mode(of: path).map { $0 & S_IFMT == S_IFDIR } }

    /// Whether a file of this name in a folder holds rules.
    static func isRuleFile(_ name: String) -> Bool {
        name.hasSuffix(".yaml") && !name.hasPrefix(".") && !name.hasSuffix(".test.yaml") && name != "signals.yaml"
    }

    /// The paths of the rule files of `folder`, in byte order of their names. A name that leads nowhere is among them: that
    /// it cannot be read is to be told, not to be passed over.
    static func files(of folder: String) throws(SystemError) -> [String] {
        guard let directory = opendir(folder) else { throw SystemError("opendir \(folder)") }
        defer { closedir(directory) }
        var names: [String] = []
        var seen = 0
        while true {
            // readdir(3): the end and an error differ by errno alone.
            errno = 0
            guard let entry = readdir(directory) else {
                if errno != 0 { throw SystemError("readdir \(folder)") }
                break
            }
            seen += 1
            guard seen <= maximumEntries else { throw SystemError("readdir \(folder)", code: EFBIG) }
            let name = withUnsafePointer(to: &entry.pointee.d_name) { place in
                place.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            // A pipe or a device would let the reader wait for ever.
            if isRuleFile(name), mode(of: "\(folder)/\(name)").map({ $0 & S_IFMT == S_IFREG }) ?? true {
                names.append(name)
            }
        }
        names.sort { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        return names.map { tidied("\(folder)/\($0)") }
    }

    /// `path` without steps that go nowhere, as people would write it: `./rules.d/./a.yaml` is `rules.d/a.yaml`. Steps up stay:
    /// what they lead to depends on links.
    static func tidied(_ path: String) -> String {
        let steps = path.split(separator: "/", omittingEmptySubsequences: true).filter { $0 != "." }
        if path.hasPrefix("/") { return "/" + steps.joined(separator: "/") }
        return steps.isEmpty && !path.isEmpty ? "." : steps.joined(separator: "/")
    }

    /// What tells one file from another whatever it is called; nil where nothing is there.
    static func identity(of path: String) -> FileIdentity? {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    struct FileIdentity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private static func mode(of path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode : nil
    }
}
