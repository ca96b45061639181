import Lane

/// `sco.lane.state.v1`: what a dashboard shows before it has read any history. Told after a change, at most once a second.
struct LaneStateReport {
    static let leastMilliseconds: Int64 = 1000

    /// Role to whether it is there, as the hot-plug feed last said.
    var devices: [String: Bool] = [:]
    /// Something is different from what was told last.
    var isDirty = false
    /// A report is due later.
    var isScheduled = false
    private var last: Int64?

    /// 0 when one may be told now.
    func milliseconds(untilNextAt now: Int64) -> Int64 {
        guard let last else { return 0 }
        return max(0, last + Self.leastMilliseconds - now)
    }

    mutating func reported(at now: Int64) {
        last = now
        isDirty = false
    }

    func write(open: [Intervention], at: WallInstant, into json: inout JSONWriter) {
        json.member("at", at.rfc3339)
        json.name("open")
        json.array { json in
            for intervention in open where !intervention.shadow {
                json.object { json in
                    json.member("intervention", intervention.id.description)
                    json.member("rule", intervention.rule)
                    json.member("severity", intervention.severity.name)
                    json.member("raisedAt", intervention.raisedAt.rfc3339)
                }
            }
        }
        json.name("devices")
        json.object { json in
            for (role, isThere) in devices.sorted(by: { $0.key < $1.key }) { json.member(role, isThere) }
        }
        json.member("version", Version.text)
    }
}
