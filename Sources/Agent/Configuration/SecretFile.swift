import CLinux
import Glibc
import Kafka
import Loop

/// Where the value of a key of `kafka:` comes from.
public enum SettingSource: Hashable, Sendable {
    /// It stands in the configuration.
    case text
    /// The content of a file; absolute, or as the configuration's folder makes it.
    case file(String)
    /// The content of a credential that systemd hands to the service. Source: systemd.exec(5), LoadCredential=.
    case credential(String)
}

/// Why a secret cannot be read: a sentence and the way out. Never any of what the file holds.
public struct SecretFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public var help: String
}

/// Secrets that stand in files of their own. Read each time they are needed; blocks.
enum SecretFile {
    static let passwordBytes = 4096
    static let pemBytes = 1 << 20

    /// What a secret held, and what is not wrong but should be better.
    struct Found: Sendable {
        var value: String
        var path: String
        /// Everybody on the machine may read it.
        var isOpen: Bool
    }

    /// The value of `key` from its source.
    /// - Parameter credentials: the folder that systemd names in `CREDENTIALS_DIRECTORY`.
    static func read(
        _ source: SettingSource, for key: String, credentials: String? = credentialsFolder
    ) throws(SecretFault) -> Found {
        switch source {
        case .text: return Found(value: "", path: "", isOpen: false)
        case .file(let path): return try read(path, key)
        case .credential(let name):
            guard let credentials else {
                throw SecretFault(
                    description: "there is no credential \"\(name)\": systemd has handed none to this process",
                    help:
                        "write LoadCredential=\(name):/etc/lanewatch/\(name) into a drop-in of the unit; to try it by hand, "
                        + "set CREDENTIALS_DIRECTORY to a folder that holds \(name)")
            }
            let path = "\(credentials)/\(name)"
            // What wants a file's name gets it.
            if isLocation(key) {
                let isThere = access(path, R_OK) == 0
                guard isThere else { throw unreadable(path, SystemError("open \(path)")) }
                return Found(value: path, path: path, isOpen: false)
            }
            return try read(path, key)
        }
    }

    /// Keys whose value is the name of a file, which librdkafka reads itself.
    static func isLocation(_ key: String) -> Bool { key.hasSuffix(".location") }

    static var credentialsFolder: String? {
        getenv("CREDENTIALS_DIRECTORY").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func read(_ path: String, _ key: String) throws(SecretFault) -> Found {
        // Not to wait for a writer, should it be a pipe.
        let raw = lw_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        guard raw >= 0 else { throw unreadable(path, SystemError("open \(path)")) }
        let descriptor = Descriptor(owning: raw)
        var facts = stat()
        guard fstat(descriptor.raw, &facts) == 0 else { throw unreadable(path, SystemError("stat \(path)")) }
        guard facts.st_mode & S_IFMT == S_IFREG else {
            throw SecretFault(description: "\(path) is no file", help: "name the file that holds \(key)")
        }
        let limit = key.hasSuffix(".pem") ? pemBytes : passwordBytes
        guard facts.st_size <= limit else {
            throw SecretFault(
                description: "\(path) has \(facts.st_size) bytes; \(key) has at most \(limit)",
                help: "is it another file? It must hold the value of \(key) and nothing else")
        }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor.raw, $0.baseAddress.map { $0 + count }, $0.count - count)
            }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else { throw unreadable(path, SystemError("read \(path)")) }
            if got == 0 { break }
            count += got
        }
        guard count <= limit else {
            throw SecretFault(description: "\(path) has more than \(limit) bytes", help: "is it another file?")
        }
        var value = bytes[..<count]
        // As `echo` and editors leave it: one line end is not part of it.
        if value.last == UInt8(ascii: "\n") {
            value.removeLast()
            if value.last == UInt8(ascii: "\r") { value.removeLast() }
        }
        guard !value.isEmpty else {
            throw SecretFault(description: "\(path) is empty", help: "write the value of \(key) into it")
        }
        guard !value.contains(0), let text = String(validating: value, as: UTF8.self) else {
            throw SecretFault(
                description: "\(path) holds bytes that are no text in UTF-8",
                help: "it must hold the value of \(key) as text, not a key store or a DER file")
        }
        return Found(value: text, path: path, isOpen: facts.st_mode & 0o004 != 0)
    }

    private static func unreadable(_ path: String, _ fault: SystemError) -> SecretFault {
        let help =
            fault.code == ENOENT
            ? "make it: install -m 640 -g lanewatch /dev/stdin \(path)"
            : fault.code == EACCES
                ? "let the agent's group read it: chgrp lanewatch \(path); chmod 640 \(path)" : "see errno(3)"
        return SecretFault(description: "cannot read \(path): \(SystemError.text(of: fault.code))", help: help)
    }
}
