import Lane
import Loop
import Net

/// How the agent is, by check.
public struct HealthReport: Hashable, Sendable {
    public enum State: Int, Hashable, Sendable, Comparable {
        case failed, degraded, ok
        public static func < (a: State, b: State) -> Bool { a.rawValue < b.rawValue }

        var name: String {
            switch self {
            case .failed: return "failed"
            case .degraded: return "degraded"
            case .ok: return "ok"
            }
        }
    }

    public struct Check: Hashable, Sendable {
        /// One word: `outbox`, `kafka`, `rules`.
        public var name: String
        public var state: State
        /// A sentence for the operator: what is wrong and the way out; never customers' data.
        public var sentence: String
        public init(_ name: String, _ state: State, _ sentence: String = "") {
            self.name = name
            self.state = state
            self.sentence = sentence
        }
    }

    public var checks: [Check]
    public init(_ checks: [Check]) { self.checks = checks }

    /// The worst of the checks.
    public var state: State { checks.map(\.state).min() ?? .ok }

    /// `200 ok` when all is well; `200` and the reasons when something is degraded, as a restart would not help; `503` and
    /// the reasons when something has failed.
    public var response: HTTPResponse {
        if state == .ok { return HTTPResponse(body: Array("ok\n".utf8)) }
        return HTTPResponse(status: state == .failed ? 503 : 200, type: "application/json", body: json + [0x0A])
    }

    /// `{"state":"degraded","checks":[{"check":"kafka","state":"degraded","reason":"…"}]}`
    public var json: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("state", state.name)
            json.name("checks")
            json.array { json in
                for check in checks {
                    json.object { json in
                        json.member("check", check.name)
                        json.member("state", check.state.name)
                        if !check.sentence.isEmpty {
                            json.member("reason", CardText.masked(check.sentence) ?? check.sentence)
                        }
                    }
                }
            }
        }
        return json.bytes
    }
}

/// The agent's pages: `/metrics` and `/healthz`.
///
/// ```swift
/// let pages = TelemetryPages(metrics) { agent.health() }
/// let server = HTTPServer(HTTPServer.Options(addresses: […])) { pages.respond(to: $0) }
/// ```
@LoopActor public struct TelemetryPages {
    private let metrics: Metrics
    private let health: @LoopActor () -> HealthReport

    public nonisolated init(_ metrics: Metrics, health: @escaping @LoopActor () -> HealthReport) {
        self.metrics = metrics
        self.health = health
    }

    public func respond(to request: HTTPRequest) -> HTTPResponse {
        switch request.path {
        case "/metrics":
            return HTTPResponse(type: "text/plain; version=0.0.4; charset=utf-8", body: metrics.page())
        case "/healthz": return health().response
        default: return HTTPResponse(HTTPFault(404, "there are /metrics and /healthz"))
        }
    }
}
