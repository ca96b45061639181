import Feeds
import Lane
import Rules

/// Bounds of the engine that were reached: counted in `/metrics`, told once a rule set.
extension LaneRunner {
    /// What has been told of the rule set in force.
    struct ToldLimits {
        /// As the engine's counts stood when the set came into force.
        var before = EngineCounts()
        var told: Set<EngineLimit> = []
        /// As they stood when this was last looked at.
        var reached = 0
    }

    func tellLimits() {
        let counts = engine.counts
        guard counts.limitsReached != toldLimits.reached else { return }
        toldLimits.reached = counts.limitsReached
        for limit in EngineLimit.allCases
        where counts[limit] > toldLimits.before[limit] && toldLimits.told.insert(limit).inserted {
            hooks.log(
                Notice(
                    .warning, Self.words(limit),
                    [.init("limit", limit.rawValue), .init("rules.digest", engine.table.digest)]))
        }
    }

    private static func words(_ limit: EngineLimit) -> String {
        switch limit {
        case .keys:
            return "a rule has more values of \"same\" at once than it may keep; the oldest are given up"
        case .keyBytes: return "a value of \"same\" is longer than 256 bytes and is cut"
        case .active: return "as many interventions are active as may be; further ones are not raised"
        case .pattern: return "a pattern gave up on a value; it does not match"
        }
    }
}
