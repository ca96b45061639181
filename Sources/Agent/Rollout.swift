import Lane

/// Watches a new rule set in its first minutes: one that raises far more than this lane is used to is to be rolled back.
///
/// A value without a clock. "Used to" is the most that was raised in any stretch of the last 24 hours under rules that had
/// been proven; a stretch is as long as a trial. Interventions of shadow rules do not count: they call nobody.
struct Rollout: Hashable, Sendable {
    struct Settings: Hashable, Sendable {
        /// How long a new set is on trial: 1 minute to 24 hours.
        var watchMilliseconds: Int64 = 600_000
        /// It may raise so many times what the lane is used to.
        var multiple = 5
        /// … and in any case so many.
        var atLeast = 20
    }

    struct Trial: Hashable, Sendable {
        var digest: String
        var began: Int64
        /// Moves on by the time that nobody watched.
        var ends: Int64
        /// More than so many is too many.
        var limit: Int
        var raised = 0
    }

    /// Digests that are remembered as rolled back, at most; the oldest is forgotten.
    static let maximumRefused = 16
    private static let day: Int64 = 86_400_000

    private(set) var trial: Trial?
    /// Digests of the sets that were rolled back: not put in force again by themselves.
    private(set) var refused: [String] = []
    /// Stretch of lane time to how many were raised in it; none where there are none.
    private(set) var history: [Int64: Int] = [:]
    let settings: Settings
    /// Something is different from what was saved last.
    var isDirty = false

    init(_ settings: Settings) { self.settings = settings }

    var isRunaway: Bool { trial.map { $0.raised > $0.limit } ?? false }

    /// The most that was raised in a stretch of the last 24 hours.
    func mostRaised(at now: LaneInstant) -> Int {
        let first = stretch(now.milliseconds - Self.day)
        return history.filter { $0.key >= first }.map(\.value).max() ?? 0
    }

    /// A new set is in force from `now` on.
    mutating func begin(_ digest: String, at now: LaneInstant) {
        let limit = max(settings.atLeast, settings.multiple * mostRaised(at: now))
        trial = Trial(
            digest: digest, began: now.milliseconds, ends: now.milliseconds + settings.watchMilliseconds, limit: limit)
        refused.removeAll { $0 == digest }
        isDirty = true
    }

    /// An intervention of a rule that calls people was raised.
    mutating func raised(at moment: LaneInstant) {
        if trial != nil { trial?.raised += 1 } else { count(1, moment) }
        isDirty = true
    }

    /// The agent was away, or the machine suspended, for so long: the trial is as long in watched time.
    mutating func wasAway(milliseconds: Int64) {
        guard let ends = trial?.ends, milliseconds > 0 else { return }
        trial?.ends = ends.addingReportingOverflow(milliseconds).partialValue
        isDirty = true
    }

    /// The trial is over, and well: what it raised is what the lane is used to from now on.
    mutating func pass() {
        guard let trial else { return }
        self.trial = nil
        if trial.raised > 0 { count(trial.raised, LaneInstant(milliseconds: trial.ends)) }
        isDirty = true
    }

    /// The set that was on trial is rolled back.
    mutating func rollBack() {
        guard let trial else { return }
        self.trial = nil
        refused.removeAll { $0 == trial.digest }
        refused.append(trial.digest)
        if refused.count > Self.maximumRefused { refused.removeFirst() }
        isDirty = true
    }

    /// The trial ends without a verdict: another set takes its place.
    mutating func cancel() {
        trial = nil
        isDirty = true
    }

    private func stretch(_ milliseconds: Int64) -> Int64 { milliseconds / settings.watchMilliseconds }

    private mutating func count(_ number: Int, _ moment: LaneInstant) {
        let now = stretch(moment.milliseconds)
        if history[now] == nil {
            let first = stretch(moment.milliseconds - Self.day)
            history = history.filter { $0.key >= first }
        }
        history[now, default: 0] += number
    }
}

extension Rollout {
    /// What is kept in the outbox.
    var json: [UInt8] {
        var json = JSONWriter()
        json.object { json in
            json.member("stretch", settings.watchMilliseconds)
            if let trial {
                json.name("trial")
                json.object { json in
                    json.member("digest", trial.digest)
                    json.member("began", trial.began)
                    json.member("ends", trial.ends)
                    json.member("limit", trial.limit)
                    json.member("raised", trial.raised)
                }
            }
            json.name("refused")
            json.array { json in for digest in refused { json.value(digest) } }
            json.name("history")
            json.array { json in
                for (stretch, number) in history.sorted(by: { $0.key < $1.key }) {
                    json.array { json in
                        json.value(stretch)
                        json.value(Int64(number))
                    }
                }
            }
        }
        return json.bytes
    }

    /// What `json` wrote; what is not readable begins anew. A history of stretches of another length is no measure.
    init(_ settings: Settings, restoring bytes: [UInt8]?) {
        self.init(settings)
        guard let bytes, let root = try? JSONValue(parsing: bytes) else { return }
        refused = (root["refused"]?.elements ?? []).compactMap(\.text).suffix(Self.maximumRefused)
        if let known = root["trial"], let digest = known["digest"]?.text, let began = known["began"]?.int,
            let ends = known["ends"]?.int, let limit = known["limit"]?.int, let raised = known["raised"]?.int
        {
            trial = Trial(
                digest: digest, began: began, ends: ends, limit: Int(clamping: limit), raised: Int(clamping: raised))
        }
        guard root["stretch"]?.int == settings.watchMilliseconds else { return }
        for pair in root["history"]?.elements ?? [] {
            guard let both = pair.elements, both.count == 2, let stretch = both[0].int, let number = both[1].int
            else { continue }
            history[stretch] = Int(clamping: number)
        }
    }
}
