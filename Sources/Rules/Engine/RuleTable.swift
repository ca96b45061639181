import Lane

/// The rules of one lane, ready to run: made from a `RuleSet` by `init`, never changed afterwards.
///
/// Rules that are disabled or for other lanes are left out, parameters are those of this lane, and the order is that of
/// the places: again and again the first rule of the file all of whose muters already have theirs, counted over the
/// whole set, so that two lanes never differ in order.
public final class RuleTable: Sendable {
    public let lane: LaneIdentity
    /// `RuleSet.digest`: which rule files these are.
    public let digest: String

    /// In the order of the places.
    let rules: [CompiledRule]
    /// The same as the files have them, to explain them.
    let written: [Rule]
    let declared: [StateDeclaration]
    let states: [StateNames]
    /// By state: the places of the rules whose condition names it, ascending.
    let namedBy: [[Int32]]
    let index: SignalIndex
    let localTime: any LocalTime
    let source: String
    /// `pos.state` and its `state`: the phase. `txn`: the correlation.
    let phaseType: SignalType?
    let phaseAttribute: AttributeName?
    let txnAttribute: AttributeName?
    /// `attendant.resolved`, which the ledger counts.
    let verdictType: SignalType?
    private let placeByID: [String: Int]

    struct StateNames: Sendable {
        var name: String
        var values: [String]
        /// By value: the types of the signals that set it.
        var setBy: [Set<SignalType>]
    }

    /// Compiles `set` for `lane`. `localTime` says what `at` means; tests and replays use UTC.
    ///
    /// Total on any set; the checker has refused what this would have to leave out: rules with unresolved parameters,
    /// cycles of muters.
    public init(_ set: RuleSet, lane: LaneIdentity, localTime: any LocalTime = UTC()) {
        var params = set.params
        for override in set.overrides where override.match.contains(where: { $0.covers(lane.lane) }) {
            params.merge(override.set) { $1 }
        }
        var rules: [CompiledRule] = []
        var sources: [Rule] = []
        var placeByID: [String: Int] = [:]
        for fileIndex in PlaceOrder.of(set.rules) {
            let rule = set.rules[fileIndex]
            guard rule.isFor(lane.lane),
                var compiled = CompiledRule(rule, in: set, lane: lane.lane, params: params)
            else { continue }
            compiled.muters = rule.mutedBy.compactMap { placeByID[$0].map(Int32.init) }
            placeByID[rule.id] = rules.count
            rules.append(compiled)
            sources.append(rule)
        }
        var namedBy = [[Int32]](repeating: [], count: set.states.count)
        for (place, rule) in rules.enumerated() {
            for state in Set(rule.condition.map(\.state)) { namedBy[state].append(Int32(place)) }
        }
        self.lane = lane
        self.digest = set.digest
        self.rules = rules
        written = sources
        declared = set.states
        self.placeByID = placeByID
        self.namedBy = namedBy
        self.localTime = localTime
        states = set.states.map { state in
            StateNames(
                name: state.name, values: state.values.map(\.name),
                setBy: state.values.map { Set($0.setBy.map(\.type)) })
        }
        index = SignalIndex(states: set.states, rules: sources)
        source = lane.source
        phaseType = SignalType("pos.state")
        phaseAttribute = AttributeName("state")
        txnAttribute = AttributeName("txn")
        verdictType = .attendantResolved
    }

    /// How many rules run on this lane.
    public var ruleCount: Int { rules.count }

    /// Ids of the rules that run on this lane, in the order of their places.
    public var ruleIDs: [String] { rules.map(\.id) }

    /// Whether the rule called `id` runs on this lane.
    public func runs(_ id: String) -> Bool { placeByID[id] != nil }

    func place(of id: String) -> Int? { placeByID[id] }
}

/// The places of rules.
enum PlaceOrder {
    /// Indices of the enabled rules of `rules` in the order of their places: again and again the first of the file all of
    /// whose muters already have theirs. Rules of a cycle, which the checker refuses, come last in the file's order.
    static func of(_ rules: [Rule]) -> [Int] {
        var byID: [String: Int] = [:]
        for (place, rule) in rules.enumerated() where rule.isEnabled && byID[rule.id] == nil { byID[rule.id] = place }
        var waitsFor = [Int](repeating: 0, count: rules.count)
        var mutes = [[Int]](repeating: [], count: rules.count)
        for (place, rule) in rules.enumerated() where rule.isEnabled {
            for muter in Set(rule.mutedBy.compactMap { byID[$0] }) {
                waitsFor[place] += 1
                mutes[muter].append(place)
            }
        }
        var ready = MinimumHeap()
        for (place, rule) in rules.enumerated() where rule.isEnabled && waitsFor[place] == 0 { ready.insert(place) }
        var order: [Int] = []
        var isPlaced = [Bool](repeating: false, count: rules.count)
        while let place = ready.removeMinimum() {
            order.append(place)
            isPlaced[place] = true
            for muted in mutes[place] {
                waitsFor[muted] -= 1
                if waitsFor[muted] == 0 { ready.insert(muted) }
            }
        }
        for (place, rule) in rules.enumerated() where rule.isEnabled && !isPlaced[place] { order.append(place) }
        return order
    }
}

/// Ints, the smallest first.
private struct MinimumHeap {
    private var items: [Int] = []

    mutating func insert(_ item: Int) {
        items.append(item)
        var child = items.count - 1
        while child > 0, items[child] < items[(child - 1) / 2] {
            items.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeMinimum() -> Int? {
        guard let minimum = items.first else { return nil }
        let last = items.removeLast()
        if items.isEmpty { return minimum }
        items[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < items.count && items[child] < items[least] {
                least = child
            }
            if least == parent { return minimum }
            items.swapAt(parent, least)
            parent = least
        }
    }
}
