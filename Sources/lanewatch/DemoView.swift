import Glibc
import Lane
import Loop
import Net

/// The live view beside the demonstration: `lanewatch-view` with a configuration of its own, on loopback, for everybody.
final class DemoView {
    struct Fault: Error, CustomStringConvertible {
        var description: String
    }

    let rfb: ListenAddress
    let https: ListenAddress
    private let process: pid_t
    private let folder: String
    private static let startSeconds: Int64 = 15

    /// Starts it, and waits until it lets viewers in.
    /// - Parameters:
    ///   - display: the X server's, as `:1`.
    ///   - folder: where its files may lie; `remove` takes them away.
    ///   - control: the agent's control socket.
    init(display: String, folder: String, control: String, rules: [String]) throws {
        self.folder = folder
        rfb = try Self.free(preferring: 5900)
        https = try Self.free(preferring: 5843)
        let paths = rules.map { path -> String in
            guard let real = realpath(path, nil) else { return path }
            defer { Glibc.free(real) }
            return String(cString: real)
        }
        let configuration = """
            format: 1
            store: demo
            lane: demo-1
            state: \(Self.quoted(folder + "/state"))
            rules: [\(paths.map(Self.quoted).joined(separator: ", "))]
            control: {path: \(Self.quoted(control))}
            socket: false
            kafka: {bootstrap.servers: "127.0.0.1:9"}
            log: {level: warning}
            view:
              display: \(Self.quoted(display))
              rfb: "\(rfb)"
              https: "\(https)"
              everybody: view
              control: {path: \(Self.quoted(folder + "/view.sock"))}
              masks:
                - {while: basket is paying, area: all, reason: the customer pays}

            """
        let file = folder + "/view.yaml"
        try Self.write(configuration, to: file)
        // The view must not outlive this process, however that ends. Source: setpriv(1).
        process = try Self.spawn([
            "/usr/bin/setpriv", "--pdeathsig", "TERM", ViewCommand.program, "--config", file,
        ])
        try awaitOpen()
    }

    /// Ends it, and takes away what it left.
    func stop() {
        _ = kill(process, SIGTERM)
        var status: Int32 = 0
        _ = waitpid(process, &status, 0)
        for name in ["identity.pem", "spent", "audit", "audit.lock"] { unlink("\(folder)/state/view/\(name)") }
        rmdir(folder + "/state/view")
        for name in ["view.yaml", "view.sock"] { unlink("\(folder)/\(name)") }
    }

    private func awaitOpen() throws {
        let end = Boottime.milliseconds() + Self.startSeconds * 1000
        while Boottime.milliseconds() < end {
            var status: Int32 = 0
            guard waitpid(process, &status, WNOHANG) == 0 else {
                throw Fault(description: "the live view could not be started; what it said is above")
            }
            if https.isAnswered { return }
            usleep(20_000)
        }
        stop()
        throw Fault(description: "the live view does not listen on \(https) after \(Self.startSeconds) s")
    }

    /// A port on loopback that nobody has now.
    private static func free(preferring port: UInt16) throws -> ListenAddress {
        for wanted in [port, 0] {
            var found: UInt16 = 0
            guard let address = ListenAddress(host: "127.0.0.1", port: wanted) else { continue }
            do throws(SystemError) { _ = try address.listen(port: &found) } catch { continue }
            if let free = ListenAddress(host: "127.0.0.1", port: found) { return free }
        }
        throw Fault(description: "no port is free on 127.0.0.1")
    }

    /// As YAML and JSON write text.
    private static func quoted(_ text: String) -> String {
        var json = JSONWriter()
        json.value(text)
        return json.text
    }

    private static func write(_ text: String, to path: String) throws {
        let raw = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard raw >= 0 else { throw Fault(description: "cannot write \(path): \(SystemError("open"))") }
        let file = Descriptor(owning: raw)
        let bytes = Array(text.utf8)
        guard Glibc.write(file.raw, bytes, bytes.count) == bytes.count else {
            throw Fault(description: "cannot write \(path): \(SystemError("write"))")
        }
    }

    private static func spawn(_ words: [String]) throws -> pid_t {
        var pointers = words.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { Glibc.free(pointer) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, words[0], nil, nil, pointers, environ)
        guard code == 0 else { throw Fault(description: "cannot start \(words[0]): \(SystemError.text(of: code))") }
        return process
    }
}
