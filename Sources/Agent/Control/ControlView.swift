import Lane
import Rules

/// What a running agent can be asked about, as it is at one moment, and its answers. Values in, values out.
public struct ControlView: Sendable {
    public var engine: RuleEngine
    public var set: RuleSet
    public var identity: LaneIdentity
    /// IANA name of the store's zone, in which people are shown times.
    public var timezone: String
    public var now: LaneInstant
    public var wall: WallInstant
    /// Role to whether it is there.
    public var devices: [String: Bool] = [:]
    /// The rules in force are on trial.
    var trial: Rollout.Trial?
    /// The files hold a set that was rolled back; an older one is in force.
    var isRolledBack = false

    public init(
        engine: RuleEngine, set: RuleSet, identity: LaneIdentity, timezone: String, now: LaneInstant, wall: WallInstant
    ) {
        self.engine = engine
        self.set = set
        self.identity = identity
        self.timezone = timezone
        self.now = now
        self.wall = wall
    }

    /// The answer, without its line feed. Its size and the time it takes are bounded by the number of rules; of one rule at
    /// most `RuleEngine.reportLimit` keys are told.
    public func answer(_ request: ControlRequest) throws(ControlFault) -> [UInt8] {
        switch request {
        case .explain(let rule):
            let line = try line(of: rule)
            let report = engine.report(on: rule, now: now, wall: wall)
            return whole { json in
                json.name("explain")
                json.object { json in
                    line.write(to: &json)
                    report?.write(to: &json, now: wall)
                }
            }
        case .rules:
            let list = RuleList(set, engine, wall: wall)
            let stray = engine.counts.strayVerdicts
            return whole { json in
                json.name("rules")
                list.write(to: &json)
                json.member("strayVerdicts", stray)
                write(rolloutInto: &json)
            }
        case .state: return whole { write(state: &$0) }
        case .follow, .outbox, .release, .discard, .view:
            throw ControlFault("not_watching", "the lane is not watched now")
        }
    }

    /// The answer to `follow`.
    func state(revision: Int64) -> [UInt8] {
        whole { json in
            json.member("revision", revision)
            write(state: &json)
        }
    }

    private func line(of rule: String) throws(ControlFault) -> RuleList.Line {
        if let found = RuleList(set, engine, wall: wall, only: rule).lines.first { return found }
        let shown = String(rule.prefix(64))
        let near = EditDistance.nearest(to: shown, among: set.rules.map(\.id))
        let way = near.map { "did you mean \"\($0)\"?" } ?? "\"lanewatch rules\" lists them"
        throw ControlFault("unknown_rule", "no rule \"\(shown)\"; \(way)")
    }

    func whole(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("ok", true)
            json.member("store", identity.store)
            json.member("lane", identity.lane)
            json.member("now", wall.rfc3339)
            json.member("timezone", timezone)
            json.member("digest", engine.table.digest)
            json.member("version", Version.text)
            body(&json)
        }
        return json.bytes
    }

    private func write(rolloutInto json: inout JSONWriter) {
        json.name("trial")
        if let trial {
            json.object { json in
                json.member("raised", trial.raised)
                json.member("limit", trial.limit)
                let left = trial.ends.subtractingReportingOverflow(now.milliseconds).partialValue
                json.member("ends", WallInstant(milliseconds: wall.milliseconds + left).rfc3339)
                json.member("endsInMs", left)
            }
        } else {
            json.null()
        }
        json.member("rolledBack", isRolledBack)
    }

    private func write(state json: inout JSONWriter) {
        json.name("states")
        json.object { json in for state in engine.laneState { json.member(state.state, orNull: state.value) } }
        json.name("open")
        json.array { json in
            for intervention in engine.active {
                json.object { json in
                    json.member("intervention", intervention.id.description)
                    json.member("rule", intervention.rule)
                    json.member("title", intervention.title)
                    json.member("severity", intervention.severity.name)
                    json.member("raisedAt", intervention.raisedAt.rfc3339)
                    if intervention.shadow { json.member("shadow", true) }
                }
            }
        }
        json.name("devices")
        json.object { json in
            for (role, isThere) in devices.sorted(by: { $0.key < $1.key }) { json.member(role, isThere) }
        }
    }
}
