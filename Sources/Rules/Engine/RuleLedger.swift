import Lane

/// How often a rule called, and what attendants said of it, over all of the lane's life.
public struct RuleTally: Hashable, Sendable {
    /// No count goes beyond: one that a damaged snapshot made up stays there, and is the same however often it is kept.
    static let most = 1 << 50

    /// Interventions raised.
    public var fired = 0 { didSet { fired = min(fired, Self.most) } }
    /// Interventions cleared: `fired` less this is what is active.
    public var cleared = 0 { didSet { cleared = min(cleared, Self.most) } }
    /// Times it fired and was suppressed: by a cooldown, a silence, `at`, a mute, or the limit.
    public var suppressed = 0 { didSet { suppressed = min(suppressed, Self.most) } }
    /// When it was raised last.
    public var lastFired: WallInstant?
    private var verdicts: [Int] = []

    public init() {}

    /// Interventions of which an attendant said so.
    public internal(set) subscript(verdict: Verdict) -> Int {
        get { verdicts.isEmpty ? 0 : verdicts[verdict.place] }
        set {
            if verdicts.isEmpty { verdicts = [Int](repeating: 0, count: Verdict.allCases.count) }
            verdicts[verdict.place] = min(max(0, newValue), Self.most)
        }
    }

    /// Interventions with a verdict.
    public var judged: Int { verdicts.reduce(0) { $0 &+ $1 } }
    /// Of those, the ones that needed nobody.
    public var falseAlarms: Int { self[.falseAlarm] }
    /// The share of judged interventions that were right, in thousandths; nil while none was judged.
    public var precisionPerMille: Int? {
        judged > 0 ? Int((Double(judged - falseAlarms) / Double(judged) * 1000).rounded()) : nil
    }

    var isEmpty: Bool { fired == 0 && cleared == 0 && suppressed == 0 && lastFired == nil && judged == 0 }

    public static func == (a: RuleTally, b: RuleTally) -> Bool {
        a.fired == b.fired && a.cleared == b.cleared && a.suppressed == b.suppressed && a.lastFired == b.lastFired
            && Verdict.allCases.allSatisfy { a[$0] == b[$0] }
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(fired)
        hasher.combine(cleared)
        hasher.combine(judged)
    }
}

extension Verdict {
    fileprivate var place: Int {
        switch self {
        case .helped: 0
        case .selfCorrected: 1
        case .falseAlarm: 2
        case .left: 3
        case .maintenance: 4
        }
    }
}

/// The tallies of all rules, and which rule raised what: a verdict that comes an hour later still finds its rule.
///
/// Part of the engine, so that a replay of the journal gives the same counts. Bounded: the newest interventions, and the
/// tallies of rules that were taken away last.
struct RuleLedger: Sendable {
    /// Interventions whose rule is remembered, the newest.
    static let maximumRaised = 1024
    /// Tallies kept of rules that are not in the table now.
    static let maximumAbsent = 1000

    /// By place.
    private(set) var tallies: [RuleTally]
    /// Rules that are not in the table now, those that went last first: one that comes back goes on counting.
    private(set) var absent: [(id: String, tally: RuleTally)] = []
    /// A ring once it is full.
    private var raised: [Raised] = []
    private var oldest = 0
    private var places: [LaneUUID: Int32] = [:]

    struct Raised: Hashable, Sendable {
        var id: LaneUUID
        /// The rule's place, or -1 less its place in `absent`.
        var rule: Int32
        var verdict: Verdict?
    }

    init(rules: Int) { tallies = [RuleTally](repeating: RuleTally(), count: rules) }

    // MARK: Counting

    mutating func fired(_ place: Int, _ id: LaneUUID, at wall: WallInstant) {
        tallies[place].fired += 1
        tallies[place].lastFired = wall
        remember(Raised(id: id, rule: Int32(place)))
    }

    mutating func cleared(_ place: Int) { tallies[place].cleared += 1 }

    /// Of a rule that may not be in the table any more.
    mutating func cleared(_ place: Int?, _ id: String) {
        if let place {
            tallies[place].cleared += 1
        } else if let known = absent.firstIndex(where: { $0.id == id }) {
            absent[known].tally.cleared += 1
        }
    }

    mutating func suppressed(_ place: Int) { tallies[place].suppressed += 1 }

    /// An attendant's verdict. Of several about one intervention the last counts. False where it finds no rule: the
    /// intervention is of another lane, or too long ago.
    mutating func judge(_ id: LaneUUID, _ verdict: Verdict) -> Bool {
        guard let place = places[id].map({ Int($0) }) else { return false }
        let rule = raised[place].rule
        let before = raised[place].verdict
        raised[place].verdict = verdict
        change(rule) { tally in
            if let before { tally[before] -= 1 }
            tally[verdict] += 1
        }
        return true
    }

    private mutating func change(_ rule: Int32, _ body: (inout RuleTally) -> Void) {
        if rule >= 0 { body(&tallies[Int(rule)]) } else { body(&absent[Int(-1 - rule)].tally) }
    }

    private mutating func remember(_ new: Raised) {
        if raised.count < Self.maximumRaised {
            places[new.id] = Int32(raised.count)
            raised.append(new)
            return
        }
        places[raised[oldest].id] = nil
        raised[oldest] = new
        places[new.id] = Int32(oldest)
        oldest = oldest + 1 == raised.count ? 0 : oldest + 1
    }

    // MARK: Snapshot and reload

    /// By names: `id` is a rule's place in the table.
    func record(_ id: (Int) -> String) -> LedgerRecord {
        var record = LedgerRecord()
        var numbers: [Int32: Int] = [:]
        for (place, tally) in tallies.enumerated() where !tally.isEmpty {
            numbers[Int32(place)] = record.rules.count
            record.rules.append(LedgerRecord.Rule(id: id(place), tally: tally))
        }
        for (place, entry) in absent.enumerated() {
            numbers[Int32(-1 - place)] = record.rules.count
            record.rules.append(LedgerRecord.Rule(id: entry.id, tally: entry.tally))
        }
        for entry in raised[oldest...] + raised[..<oldest] {
            guard let number = numbers[entry.rule] else { continue }
            record.raised.append(LedgerRecord.Raised(id: entry.id, rule: number, verdict: entry.verdict))
        }
        return record
    }

    /// From names: `place` is where a rule of that id stands now.
    init(_ record: LedgerRecord, rules: Int, place: (String) -> Int?) {
        self.init(rules: rules)
        var found: [Int32?] = []
        for rule in record.rules {
            if let place = place(rule.id) {
                tallies[place] = rule.tally
                found.append(Int32(place))
            } else if absent.count < Self.maximumAbsent, !absent.contains(where: { $0.id == rule.id }) {
                absent.append((rule.id, rule.tally))
                found.append(Int32(-absent.count))
            } else {
                found.append(nil)
            }
        }
        for entry in record.raised.suffix(Self.maximumRaised) {
            guard found.indices.contains(entry.rule), let rule = found[entry.rule], places[entry.id] == nil else {
                continue
            }
            remember(Raised(id: entry.id, rule: rule, verdict: entry.verdict))
        }
    }
}

/// A ledger as snapshots hold it.
struct LedgerRecord: Hashable, Sendable {
    struct Rule: Hashable, Sendable {
        var id: String
        var tally: RuleTally
    }

    struct Raised: Hashable, Sendable {
        var id: LaneUUID
        /// Place in `rules`.
        var rule: Int
        var verdict: Verdict?
    }

    var rules: [Rule] = []
    /// The oldest first.
    var raised: [Raised] = []

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.name("rules")
            json.array { json in for rule in rules { json.object { write(rule, to: &$0) } } }
            json.name("raised")
            json.array { json in
                for entry in raised {
                    json.array { json in
                        json.value(entry.id.description)
                        json.value(Int64(entry.rule))
                        if let verdict = entry.verdict { json.value(verdict.rawValue) }
                    }
                }
            }
        }
    }

    private func write(_ rule: Rule, to json: inout JSONWriter) {
        json.member("id", rule.id)
        json.member("fired", rule.tally.fired)
        json.member("cleared", rule.tally.cleared)
        json.member("suppressed", rule.tally.suppressed)
        if let last = rule.tally.lastFired { json.member("last", last.milliseconds) }
        for verdict in Verdict.allCases where rule.tally[verdict] > 0 {
            json.member(verdict.rawValue, rule.tally[verdict])
        }
    }

    init() {}

    /// Whatever cannot be read is left out: counts are no reason to give a snapshot up.
    init(_ value: JSONValue?) {
        func count(_ value: JSONValue?) -> Int { max(0, Int(clamping: value?.int ?? 0)) }
        for element in value?["rules"]?.elements ?? [] {
            var tally = RuleTally()
            tally.fired = count(element["fired"])
            tally.cleared = count(element["cleared"])
            tally.suppressed = count(element["suppressed"])
            tally.lastFired = element["last"]?.int.map { WallInstant(milliseconds: $0) }
            for verdict in Verdict.allCases where element[verdict.rawValue] != nil {
                tally[verdict] = count(element[verdict.rawValue])
            }
            // Places count: one without a name stays, and is nobody's.
            rules.append(Rule(id: element["id"]?.text ?? "", tally: tally))
        }
        for element in value?["raised"]?.elements ?? [] {
            guard let parts = element.elements, parts.count >= 2, let id = parts[0].text.flatMap({ LaneUUID($0) }),
                let rule = parts[1].int, rules.indices.contains(Int(clamping: rule))
            else { continue }
            let verdict = parts.count > 2 ? parts[2].text.flatMap { Verdict(rawValue: $0) } : nil
            raised.append(Raised(id: id, rule: Int(clamping: rule), verdict: verdict))
        }
    }
}
