import Agent
import Glibc
import Lane
import Loop
import Net
import Screen
import Signing
import Telemetry
import View
import YAML

/// The configuration that a view goes by, read and checked.
struct ViewPlan: Sendable {
    let configuration: Configuration
    let settings: ViewSettings
    let masks: MaskPlan
    let log: Log

    /// Nil where something is wrong, all of which was told.
    init?(path: String, complain: (String) -> Void) {
        let bytes: [UInt8]
        do { bytes = try FileBytes.read(path, limit: YAMLDocument.maximumBytes) } catch {
            complain("lanewatch view: cannot read \(path): \(error)")
            return nil
        }
        let file = ConfigurationFile(file: path, bytes: bytes)
        func refuse(_ diagnostics: [Diagnostic]) {
            for diagnostic in diagnostics { complain(diagnostic.rendered()) }
        }
        guard let configuration = file.configuration else {
            refuse(file.diagnostics)
            return nil
        }
        guard let settings = configuration.view else {
            complain(
                "lanewatch view: \(path) has no \"view\"; write view: {} to show the lane's screen on loopback alone")
            return nil
        }
        let (trust, faults) = RuleTrust.load(configuration, file.source)
        let (rules, found) = RuleFiles.load(configuration.ruleFiles, trust: trust)
        guard let rules, faults.isEmpty else {
            refuse(faults + found)
            return nil
        }
        let (masks, diagnostics) = settings.resolve(rules.set, file.source)
        guard !diagnostics.contains(where: { $0.severity == .error }) else {
            refuse(diagnostics)
            return nil
        }
        self.configuration = configuration
        self.settings = settings
        self.masks = MaskPlan(
            entries: masks.map { Self.entry($0) }, unknown: settings.hidesUnknown ? .all : .none)
        log = Log(configuration, isColoured: isatty(2) == 1)
    }

    private static func entry(_ resolved: ViewSettings.Resolved) -> MaskPlan.Entry {
        let area = resolved.mask.area.map { PixelRect(x: $0[0], y: $0[1], width: $0[2], height: $0[3]) }
        let window = resolved.mask.window.map { window -> MaskPlan.WindowMatch in
            switch window {
            case .windowClass(let name): return .windowClass(name)
            case .title(let title): return .title(title)
            }
        }
        return MaskPlan.Entry(
            terms: resolved.terms.map { .init(state: $0.state, value: $0.value, isNegated: $0.isNegated) },
            window: window,
            area: Mask.Area(area, style: resolved.mask.style == .blur ? .blur : .black), reason: resolved.reason)
    }

    private var screen: X11Screen {
        X11Screen(display: settings.display, authority: settings.authority, output: settings.output)
    }

    /// The lane's screen, and where the windows are that masks follow.
    var makeSource: Capture.SourceMaker {
        let (screen, followed) = (screen, masks.windows)
        return { () throws(ScreenError) in try X11Source(screen, following: followed) }
    }

    /// Where the view keeps what it must remember: its unit's folder, else one below the agent's. Source: systemd.exec(5),
    /// STATE_DIRECTORY.
    private var folder: String {
        getenv("STATE_DIRECTORY").map { String(cString: $0) } ?? "\(configuration.stateFolder)/view"
    }

    /// The service, not yet open. Makes a certificate where there is none.
    ///
    /// - Parameter sockets: those that were opened for it; where there are any, it opens none of its own.
    @LoopActor func makeService(
        _ sockets: [(name: String, descriptor: Int32)], _ tell: @escaping @Sendable (Notice) -> Void
    ) throws -> ViewService {
        for path in [configuration.stateFolder, folder] { _ = mkdir(path, 0o700) }
        var access = Access.Options(lane: configuration.identity.partitionKey)
        access.keys = try settings.tokenKeys.map { try VerifyingKey(pem: try FileBytes.read($0.path, limit: 65_536)) }
        access.policy.token = !access.keys.isEmpty
        access.policy.none = settings.everybody.flatMap { ViewMode(name: $0.rawValue) }
        access.policy.allowRemote = settings.allowsRemote
        if let password = settings.password {
            let bytes = try FileBytes.read(password.file, limit: 4096)
            let mode: ViewMode = password.mode == .control ? .control : .view
            guard let read = AccessPolicy.Password(bytes, mode: mode) else {
                throw GateFault("\(password.file) holds no password: one line of at most 256 bytes")
            }
            access.policy.password = read
        }
        access.spentFile = "\(folder)/spent"
        var options = ViewService.Options(access: access)
        options.label = "lane \(configuration.identity.lane), store \(configuration.identity.store)"
        if sockets.isEmpty {
            options.gate.rfb = try settings.rfb.map { [try Self.address($0)] } ?? []
            options.gate.https = try settings.https.map { [try Self.address($0)] } ?? []
        }
        options.gate.adopted = sockets
        options.gate.idleSeconds = Double(settings.idle) / 1000
        options.gate.longestSeconds = Double(settings.longest) / 1000
        options.gate.mostVisitors = settings.attendants
        for origin in settings.origins {
            // A name alone is one of this lane's; a whole origin is another page's.
            if origin.contains("://") {
                options.gate.upgrade.origins.insert(origin.lowercased())
            } else {
                options.gate.upgrade.hosts.insert(origin.lowercased())
            }
        }
        options.page = settings.page.map { page in
            var shown = Page.Options()
            shown.novnc = page.novnc
            shown.frames = page.frames
            return shown
        }
        options.certificates = try certificates(tell)
        options.masks = masks
        options.control = configuration.control?.path
        options.auditFile = "\(folder)/audit"
        options.sessions.closeGraceSeconds = Double(settings.closeGrace) / 1000
        options.hooks = .init(open: settings.hooks.open, control: settings.hooks.control, close: settings.hooks.close)
        options.notice = settings.notice.map { ($0.viewed, $0.controlled) }
        options.socket = try settings.control.map { try socket($0) }
        let notice = try settings.notice.map { try X11Notice(screen, isAtBottom: $0.isAtBottom, tell: tell) }
        return try ViewService(
            options, input: X11Input(screen), notice: notice, tell: tell, makeSource: makeSource)
    }

    private func socket(_ settings: Configuration.Control) throws -> ViewControl.Options {
        var server = LineServer.Options(path: settings.path)
        server.mode = settings.mode
        server.group = try settings.ownerGroup("the view's control")
        server.peers = try settings.askers("the view's control")
        return ViewControl.Options(
            server: server, changers: try settings.changers("the view's control"), store: configuration.identity.store,
            lane: configuration.identity.lane, timezone: configuration.timezone)
    }

    private func certificates(_ tell: (Notice) -> Void) throws -> CertificateFiles {
        if let certificate = settings.certificate, let key = settings.key {
            return try CertificateFiles(certificate: certificate, key: key)
        }
        let (files, isNew) = try CertificateFiles.openOrMake(
            "\(folder)/identity.pem", names: [configuration.identity.lane])
        if isNew {
            tell(
                Notice(
                    .info, "the view made its own certificate: compare the fingerprint when a viewer asks",
                    [.init("fingerprint", files.context.fingerprint)]))
        }
        return files
    }

    private static func address(_ listen: Configuration.Listen) throws(GateFault) -> ListenAddress {
        guard let address = ListenAddress(host: listen.address, port: listen.port) else {
            throw GateFault("\(listen) is no address to listen on: a number such as 127.0.0.1 or ::1, and a port")
        }
        return address
    }

    func opened(rfb: [ListenAddress], https: [ListenAddress]) -> Notice {
        Notice(
            .info, "the view is open",
            rfb.map { .init("rfb", $0.description) } + https.map { .init("https", $0.description) })
    }
}
