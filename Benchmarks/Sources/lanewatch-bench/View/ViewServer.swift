import Glibc
import Loop
import ScreenBed

/// A screen of 1280x1024 and a program that shows it over RFB, on loopback without a password: ours or a peer, as it comes.
final class ViewServer {
    enum Kind: String, CaseIterable {
        case ours = "lanewatch view"
        case x11vnc = "x11vnc"
        case x0vncserver = "x0vncserver"
        case xvnc = "Xvnc"
        case xvncFast = "Xvnc -FrameRate 1000"

        /// What has to be installed for it.
        var program: String {
            switch self {
            case .ours: ""
            case .x11vnc: "x11vnc"
            case .x0vncserver: "X0tigervnc"
            case .xvnc, .xvncFast: "Xtigervnc"
            }
        }
    }

    static let width = 1280, height = 1024

    let kind: Kind
    let port: UInt16
    let painter: XPainter
    /// Who encodes, and who has the screen: one process for Xvnc.
    let server: BedProcess
    let x: BedProcess?
    let display: String
    private let folder = Folder()

    /// Nil where it is not installed, or does not start; `fault` says why.
    init?(_ kind: Kind, program: String, fault: (String) -> Void) {
        self.kind = kind
        port = Loopback.freePort()
        folder.expect("lanewatch.yaml", "rules.yaml", "errors")
        let errors = folder.path + "/errors"
        let geometry = "\(Self.width)x\(Self.height)"
        if kind == .xvnc || kind == .xvncFast {
            var words = [
                "Xtigervnc", "-displayfd", "1", "-geometry", geometry, "-depth", "24", "-rfbport", "\(port)",
                "-SecurityTypes", "None", "-localhost", "-nolisten", "tcp", "-noreset", "-AlwaysShared",
            ]
            if kind == .xvncFast { words += ["-FrameRate", "1000"] }
            guard let process = BedProcess(words, errors: errors), let number = process.line(),
                let painter = XPainter(":" + number)
            else {
                fault("\(kind.rawValue) does not start: \(Text.file(errors).suffix(200))")
                return nil
            }
            (server, x, display, self.painter) = (process, nil, ":" + number, painter)
        } else {
            guard let (process, display) = BedProcess.xvfb("\(geometry)x24"), let painter = XPainter(display) else {
                fault("Xvfb does not start")
                return nil
            }
            (x, self.display, self.painter) = (process, display, painter)
            let words = Self.words(kind, program: program, folder: folder, display: display, port: port)
            guard let words, let process = BedProcess(words, errors: errors) else {
                fault("\(kind.rawValue) does not start")
                return nil
            }
            server = process
        }
        let end = Boottime.milliseconds() + 15_000
        while true {
            if let raw = Loopback.viewer(port) {
                close(raw)
                return
            }
            guard Boottime.milliseconds() < end, server.isRunning else {
                fault("\(kind.rawValue) lets nobody in: \(Text.file(errors).suffix(300))")
                return nil
            }
            usleep(50_000)
        }
    }

    deinit {
        // What ours wrote below its state folder.
        server.stop(SIGTERM)
        for path in ["/state/view/identity.pem", "/state/view/spent"] { unlink(folder.path + path) }
        for path in ["/state/view", "/state"] { rmdir(folder.path + path) }
    }

    private static func words(
        _ kind: Kind, program: String, folder: Folder, display: String, port: UInt16
    ) -> [String]? {
        switch kind {
        case .x11vnc:
            return [
                "x11vnc", "-display", display, "-rfbport", "\(port)", "-localhost", "-nopw", "-forever", "-shared",
                "-q",
                "-noipv6",
            ]
        case .x0vncserver:
            return [
                "X0tigervnc", "-display", display, "-rfbport", "\(port)", "-SecurityTypes", "None", "-localhost",
                "-AlwaysShared",
            ]
        case .ours:
            do {
                try folder.write("rules.yaml", "format: 1\n")
                try folder.write(
                    "lanewatch.yaml",
                    """
                    format: 1
                    store: "1"
                    lane: bench
                    state: state
                    rules: rules.yaml
                    socket: false
                    control: false
                    metrics: false
                    log: {level: warning, format: text}
                    kafka: {bootstrap.servers: "127.0.0.1:1"}
                    view: {display: "\(display)", rfb: "127.0.0.1:\(port)", https: false, everybody: control, unknown_state: none}

                    """)
            } catch { return nil }
            return [program, "--config", folder.path + "/lanewatch.yaml"]
        case .xvnc, .xvncFast: return nil
        }
    }

    // MARK: What it costs

    /// Seconds on a processor so far, the X server's included.
    var cpu: Double {
        let own = AgentProcess.threadSeconds(of: server.pid).values.reduce(0, +)
        return own + (x.map { AgentProcess.threadSeconds(of: $0.pid).values.reduce(0, +) } ?? 0)
    }

    var ownCPU: Double { AgentProcess.threadSeconds(of: server.pid).values.reduce(0, +) }
    /// The X server's alone; of Xvnc nothing, as it is one.
    var screenCPU: Double { x.map { AgentProcess.threadSeconds(of: $0.pid).values.reduce(0, +) } ?? 0 }

    /// How often threads of the server went to sleep of their own accord. Source: proc(5), status.
    var sleeps: Int { Self.sleeps(of: server.pid) }

    private static func sleeps(of pid: pid_t) -> Int {
        guard let folder = opendir("/proc/\(pid)/task") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard Int(name) != nil else { continue }
            for line in Text.file("/proc/\(pid)/task/\(name)/status").split(whereSeparator: \.isNewline)
            where line.hasPrefix("voluntary_ctxt_switches:") {
                count += line.split(whereSeparator: { $0 == "\t" || $0 == " " }).last.flatMap { Int($0) } ?? 0
            }
        }
        return count
    }

    /// Memory that counts, in MB: the process's share of each page. Source: proc(5), smaps_rollup.
    var proportionalMegabytes: Double {
        for line in Text.file("/proc/\(server.pid)/smaps_rollup").split(whereSeparator: \.isNewline)
        where line.hasPrefix("Pss:") {
            let number = line.split(separator: " ").dropFirst().first.flatMap { Double($0) }
            return (number ?? .nan) / 1024
        }
        return .nan
    }
}
