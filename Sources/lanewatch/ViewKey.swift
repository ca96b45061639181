import Agent
import CLinux
import CommandLine
import Glibc
import Loop
import Signing

/// `lanewatch view key FILE`: a pair of keys for tokens.
enum ViewKey {
    static func perform(_ arguments: Arguments) -> Int32 {
        let path = arguments[Table.newKey] ?? ""
        let publicPath = path + ".pub"
        do throws(SigningFault) {
            let key = try SigningKey.made()
            let (secret, open) = (try key.pem(), try key.verifyingKey.pem())
            guard make(path, secret, 0o600) else { return 1 }
            guard make(publicPath, open, 0o644) else {
                unlink(path)
                return 1
            }
        } catch {
            Terminal.error("lanewatch view key: \(error)\n")
            return 1
        }
        Terminal.out(
            """
            \(path)      makes tokens: keep it where tokens are made, never on a lane
            \(publicPath)  goes to the lanes; into each one's configuration:

            view:
              token_keys: [\(absolute(publicPath))]

            """)
        return 0
    }

    private static func absolute(_ path: String) -> String {
        guard !path.hasPrefix("/"), let found = realpath(path, nil) else { return path }
        defer { free(found) }
        return String(cString: found)
    }

    /// A new file: one that is there is somebody's key.
    private static func make(_ path: String, _ bytes: [UInt8], _ mode: mode_t) -> Bool {
        let raw = lw_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard raw >= 0 else {
            let way = errno == EEXIST ? "; it is there already, and stays as it is: name another" : ""
            Terminal.error("lanewatch view key: cannot make \(path): \(SystemError.text(of: errno))\(way)\n")
            return false
        }
        let file = Descriptor(owning: raw)
        guard write(file.raw, bytes, bytes.count) == bytes.count, fsync(file.raw) == 0 else {
            Terminal.error("lanewatch view key: cannot write \(path): \(SystemError.text(of: errno))\n")
            unlink(path)
            return false
        }
        return true
    }
}
