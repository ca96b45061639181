import Glibc
import Loop

/// The live view beside x11vnc, TigerVNC's x0vncserver and Xvnc: the same drawing, the same viewer, which decodes; in turns, so that what
/// else the machine does meets all alike. A peer that is not installed is left out.
struct ViewBenchmark {
    /// In the order of `docs/reference/performance.md`.
    enum Row: Int, CaseIterable {
        case tap, firstTap, click, tapVideoTight, tapVideoZRLE, scan, scanBytes, scroll, scrollCPU
        case videoTight, videoTightCPU
        case videoTightFour, videoTightFourCPU, videoZRLE, videoZRLEFour, videoZRLEFourCPU, videoRaw
        case unwatchedWakeUps, restWakeUps, restCPU, restScreenCPU, joinRaw, joinExact, joinZRLE, joinStale, memory

        var title: String {
            switch self {
            case .tap: "tap, Tight: draw → decoded, p50/p95/p99 ms"
            case .firstTap: "first tap after 75 s still, ms"
            case .click: "click → pixel, p50/p95 ms"
            case .tapVideoTight: "tap while a video plays, Tight q6, p50/p95 ms"
            case .tapVideoZRLE: "tap while a video plays, ZRLE, p50/p95 ms"
            case .scan: "scan (one row and the total), Tight q6, p50 ms"
            case .scanBytes: "the same, kB/s at 5 a second"
            case .scroll: "scroll, Tight q6, p50 ms"
            case .scrollCPU: "the same, cores with the X server"
            case .videoTight: "video 640x360 at 25, Tight q6, p50 ms"
            case .videoTightCPU: "the same, cores"
            case .videoTightFour: "the same with 4 attendants, p50 ms"
            case .videoTightFourCPU: "the same, cores"
            case .videoZRLE: "video, ZRLE, p50 ms"
            case .videoZRLEFour: "the same with 4 attendants, p50 ms"
            case .videoZRLEFourCPU: "the same, cores"
            case .videoRaw: "video, Raw, p50 ms"
            case .unwatchedWakeUps: "still and unwatched: wake-ups/s"
            case .restWakeUps: "still, 1 attendant: wake-ups/s"
            case .restCPU: "the same, % of a core"
            case .restScreenCPU: "the same, the X server's %"
            case .joinRaw: "join to the whole frame, Raw, p50 ms"
            case .joinExact: "the same, Tight without loss"
            case .joinZRLE: "the same, ZRLE"
            case .joinStale: "first pictures that were of before, of all"
            case .memory: "memory with 4 attendants, PSS MB"
            }
        }

        /// Of docs/explanation/view.md.
        var target: String {
            switch self {
            case .tap: "0.8/1.0/1.3"
            case .firstTap: "1"
            case .click: "1.0/1.3"
            case .tapVideoTight: "p95 1"
            case .tapVideoZRLE: "p95 10"
            case .scan: "1.5"
            case .scanBytes: "50"
            case .scroll: "4.5"
            case .scrollCPU: "0.07"
            case .videoTight: "2.8"
            case .videoTightCPU: "0.04"
            case .videoTightFour: "5"
            case .videoTightFourCPU: "0.11"
            case .videoZRLE: "15"
            case .videoZRLEFour, .videoZRLEFourCPU, .videoRaw: ""
            case .unwatchedWakeUps, .restWakeUps, .restCPU, .restScreenCPU: "0"
            case .joinRaw, .joinExact, .joinZRLE: "15"
            case .joinStale: "0"
            case .memory: "22"
            }
        }

        /// Figures that are quantiles of samples: which.
        var quantiles: [Double] {
            switch self {
            case .tap: [0.5, 0.95, 0.99]
            case .click, .tapVideoTight, .tapVideoZRLE: [0.5, 0.95]
            default: [0.5]
            }
        }

        var digits: Int {
            switch self {
            case .scrollCPU, .videoTightCPU, .videoTightFourCPU, .videoZRLEFourCPU: 3
            case .tap, .firstTap, .click, .tapVideoTight, .videoTight, .restCPU, .restScreenCPU: 2
            default: 1
            }
        }
    }

    struct Options {
        var rounds = 3
        /// How much of each trial; a tenth to see that it works.
        var share = 1.0
        var only: [String] = []
        /// Trials by name, as faults name them; all where it is empty.
        var trials: [String] = []
    }

    private let program: String
    private let options: Options
    /// By row and server, one entry a round; of latencies the quantiles of the round.
    private var found: [Row: [ViewServer.Kind: [[Double]]]] = [:]
    private var faults: [String] = []

    static func run(_ program: String, _ options: Options) {
        var benchmark = ViewBenchmark(program: program, options: options)
        benchmark.measure()
        benchmark.show()
    }

    private init(program: String, options: Options) {
        (self.program, self.options) = (program, options)
    }

    private mutating func measure() {
        let kinds = ViewServer.Kind.allCases.filter { kind in
            guard options.only.isEmpty || options.only.contains(where: { kind.rawValue.hasPrefix($0) }) else {
                return false
            }
            let isInstalled = kind == .ours || Self.isInstalled(kind.program)
            if !isInstalled { faults.append("\(kind.rawValue) is not installed (make setup)") }
            return isInstalled
        }
        for round in 0..<options.rounds {
            // Another order each round.
            let order = kinds.indices.map { kinds[($0 + round) % kinds.count] }
            measureFirstTaps(order)
            for kind in order {
                guard let server = start(kind) else { continue }
                measure(server)
                print("round \(round + 1): \(kind.rawValue)")
                fflush(nil)
            }
        }
    }

    private mutating func start(_ kind: ViewServer.Kind) -> ViewServer? {
        var fault: String?
        let server = ViewServer(kind, program: program, fault: { fault = $0 })
        if server == nil { faults.append(fault ?? "\(kind.rawValue) does not start") }
        return server
    }

    /// All rest at the same time: it is long.
    private mutating func measureFirstTaps(_ kinds: [ViewServer.Kind]) {
        var resting: [(ViewTrials, Watcher)] = []
        guard isWanted("first tap") else { return }
        for kind in kinds where kind != .xvncFast {
            guard let server = start(kind) else { continue }
            attempt(server, "first tap") { run in
                let trials = ViewTrials(server, share: run.options.share)
                resting.append((trials, try trials.resting()))
            }
        }
        if !resting.isEmpty { usleep(UInt32(75_000_000 * min(1, options.share))) }
        for (trials, watcher) in resting {
            attempt(trials.server, "first tap") { run in
                run.add(.firstTap, trials.server.kind, [try trials.firstTap(watcher)])
            }
        }
    }

    private static func isInstalled(_ program: String) -> Bool {
        access("/usr/bin/" + program, X_OK) == 0
    }

    private mutating func add(_ row: Row, _ kind: ViewServer.Kind, _ values: [Double]) {
        found[row, default: [:]][kind, default: []].append(values)
    }

    private func isWanted(_ trial: String) -> Bool { options.trials.isEmpty || options.trials.contains(trial) }

    /// A trial that fails is told, and the others go on.
    private mutating func attempt(_ server: ViewServer, _ name: String, _ body: (inout Self) throws -> Void) {
        guard isWanted(name) else { return }
        do { try body(&self) } catch { faults.append("\(server.kind.rawValue), \(name): \(error)") }
    }

    private mutating func measure(_ server: ViewServer) {
        let trials = ViewTrials(server, share: options.share)
        let kind = server.kind
        // Of Xvnc's variant only what its clock decides.
        let isVariant = kind == .xvncFast
        func quantiles(_ samples: Samples, _ row: Row) -> [Double] { row.quantiles.map { samples.quantile($0) } }
        attempt(server, "tap") { $0.add(.tap, kind, quantiles(try trials.tap(.exact), .tap)) }
        attempt(server, "click") { $0.add(.click, kind, quantiles(try trials.click(), .click)) }
        attempt(server, "tap beside video") { run in
            run.add(.tapVideoTight, kind, quantiles(try trials.tapBesideVideo(.tight), .tapVideoTight))
            run.add(.tapVideoZRLE, kind, quantiles(try trials.tapBesideVideo(.zrle), .tapVideoZRLE))
        }
        attempt(server, "video") { run in
            let tight = try trials.video(.tight)
            run.add(.videoTight, kind, quantiles(tight.samples, .videoTight))
            run.add(.videoTightCPU, kind, [tight.cpu])
            run.add(.videoZRLE, kind, quantiles(try trials.video(.zrle).samples, .videoZRLE))
        }
        if isVariant { return }
        attempt(server, "scan") { run in
            let scan = try trials.scan()
            run.add(.scan, kind, quantiles(scan.samples, .scan))
            run.add(.scanBytes, kind, [scan.kilobytes])
        }
        attempt(server, "scroll") { run in
            let scroll = try trials.scroll()
            run.add(.scroll, kind, quantiles(scroll.samples, .scroll))
            run.add(.scrollCPU, kind, [scroll.cpu])
        }
        attempt(server, "video for four") { run in
            let tight = try trials.video(.tight, watchers: 4)
            run.add(.videoTightFour, kind, quantiles(tight.samples, .videoTightFour))
            run.add(.videoTightFourCPU, kind, [tight.cpu])
            let zrle = try trials.video(.zrle, watchers: 4)
            run.add(.videoZRLEFour, kind, quantiles(zrle.samples, .videoZRLEFour))
            run.add(.videoZRLEFourCPU, kind, [zrle.cpu])
            run.add(.videoRaw, kind, quantiles(try trials.video(.raw).samples, .videoRaw))
        }
        attempt(server, "rest") { run in
            run.add(.unwatchedWakeUps, kind, [try trials.rest(watched: false).wakeUps])
            let rest = try trials.rest(watched: true)
            run.add(.restWakeUps, kind, [rest.wakeUps])
            run.add(.restCPU, kind, [rest.cpu])
            run.add(.restScreenCPU, kind, [rest.screenCPU])
        }
        attempt(server, "join") { run in
            var (stale, count) = (0, 0)
            for (row, encoding) in [(Row.joinRaw, ViewKind.raw), (.joinExact, .exact), (.joinZRLE, .zrle)] {
                let joins = try trials.join(encoding)
                run.add(row, kind, quantiles(joins.samples, row))
                stale += joins.stale
                count += joins.samples.values.count
            }
            run.add(.joinStale, kind, [Double(stale)])
        }
        attempt(server, "memory") { $0.add(.memory, kind, [try trials.memory()]) }
    }

    // MARK: The table

    /// Medians of the rounds, quantile by quantile.
    private func figure(_ row: Row, _ kind: ViewServer.Kind) -> [Double]? {
        guard let rounds = found[row]?[kind], let first = rounds.first else { return nil }
        return first.indices.map { place in Samples(values: rounds.map { $0[place] }).median }
    }

    private func text(_ row: Row, _ kind: ViewServer.Kind) -> String {
        guard let figures = figure(row, kind) else { return "" }
        return figures.map { round($0, row.digits) }.joined(separator: "/")
    }

    private func show() {
        let peers = ViewServer.Kind.allCases.filter { kind in kind != .ours && found.values.contains { $0[kind] != nil }
        }
        var table = Table(
            "The live view beside others, 1280x1024 on loopback; median of \(options.rounds) rounds",
            ["what", "ours", "best peer"] + peers.map(\.rawValue) + ["target"])
        for row in Row.allCases {
            let others = peers.compactMap { kind in figure(row, kind)?.first.map { (kind, $0) } }
            let best = others.min { $0.1 < $1.1 }?.0
            table.add(
                [row.title, text(row, .ours), best.map { text(row, $0) } ?? "–"] + peers.map { text(row, $0) } + [
                    row.target
                ])
        }
        table.show()
        for fault in faults { print("benchmark: \(fault)") }
        print(
            """

            Timed from the request's way to the X server to the pixel in a viewer of ours, which decodes everything in one thread, and takes
            its part of each figure. Xvnc is an X server itself: its processor time has that in it.
            """)
    }
}
