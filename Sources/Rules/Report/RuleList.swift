import Lane

/// The rules of a set, a line each: what `lanewatch rules` lists.
public struct RuleList: Hashable, Sendable {
    /// Whether a rule calls, as far as the files say.
    public enum Mode: String, Hashable, Sendable {
        case on, shadow, disabled
        /// It is for other lanes.
        case elsewhere
    }

    public struct Line: Hashable, Sendable {
        public var rule: String
        public var title: String
        public var shape: Character
        public var severity: Severity
        public var category: String
        public var mode: Mode
        /// What it waits for, in one line.
        public var waitsFor: String
        public var activeCount = 0
        public var silencedUntil: WallInstant?
        public var mutedBy: [String] = []
        /// Nil where no lane was asked.
        public var tally: RuleTally?
    }

    /// In the order of the files.
    public var lines: [Line]

    /// The rules of the files, without counts. `lane`: whose parameters and overrides count; nil for the defaults. `only`: one
    /// rule; nil for all.
    public init(_ set: RuleSet, lane: String? = nil, only: String? = nil) {
        var params = set.params
        if let lane {
            for override in set.overrides where override.match.contains(where: { $0.covers(lane) }) {
                params.merge(override.set) { $1 }
            }
        }
        lines = set.rules.filter { only == nil || $0.id == only }.map { rule in
            let isElsewhere = lane.map { !rule.isFor($0) } ?? false
            let mode: Mode =
                !rule.isEnabled ? .disabled : isElsewhere ? .elsewhere : rule.isShadow ? .shadow : .on
            return Line(
                rule: rule.id, title: rule.title, shape: RuleSummary.letter(rule.shape), severity: rule.severity,
                category: rule.category, mode: mode, waitsFor: RuleSummary(set, params).text(rule))
        }
    }

    /// As a lane's engine has them at `wall`.
    public init(_ set: RuleSet, _ engine: RuleEngine, wall: WallInstant, only: String? = nil) {
        self.init(set, lane: engine.table.lane.lane, only: only)
        for number in lines.indices {
            lines[number].tally = engine.tally(of: lines[number].rule) ?? RuleTally()
            guard let place = engine.table.place(of: lines[number].rule) else { continue }
            let rule = engine.table.rules[place]
            lines[number].activeCount = engine.memory[place].active.count
            lines[number].silencedUntil = rule.silencedUntil.flatMap { wall < $0 ? $0 : nil }
            lines[number].mutedBy = rule.muters.map { Int($0) }.filter { muter in
                !engine.memory[muter].active.isEmpty && (!engine.table.rules[muter].isShadow || rule.isShadow)
            }.map { engine.table.rules[$0].id }
        }
    }

    /// A JSON object a line.
    public func write(to json: inout JSONWriter) {
        json.array { json in for line in lines { json.object { line.write(to: &$0) } } }
    }
}

extension RuleList.Line {
    /// Its members.
    public func write(to json: inout JSONWriter) {
        json.member("rule", rule)
        json.member("title", title)
        json.member("shape", String(shape))
        json.member("severity", severity.name)
        json.member("category", category)
        json.member("mode", mode.rawValue)
        json.member("waitsFor", waitsFor)
        guard let tally else { return }
        json.member("active", activeCount)
        json.member("silencedUntil", orNull: silencedUntil?.rfc3339)
        json.name("mutedBy")
        json.array { json in for rule in mutedBy { json.value(rule) } }
        tally.write(to: &json)
    }
}
