import Lane
import Testing

@testable import Rules

/// What an edit would have changed.
@Suite struct ComparisonTests {
    static let day = [
        #"{"seq":1,"t":0,"lane":"a","type":"payment.started","pay":"P1"}"#,
        #"{"seq":1,"t":1000,"lane":"b","type":"payment.started","pay":"P1"}"#,
        #"{"seq":2,"t":50000,"lane":"a","type":"payment.approved","pay":"P1"}"#,
        #"{"seq":3,"t":60000,"lane":"a","type":"help.requested"}"#,
        #"{"seq":4,"t":70000,"lane":"a","type":"payment.started","pay":"P2"}"#,
        #"{"seq":5,"t":200000,"lane":"a","type":"payment.approved","pay":"P2"}"#,
        #"{"seq":2,"t":300000,"lane":"b","type":"touch"}"#,
    ]

    func episodes(_ set: RuleSet, parts: Int) throws -> RecordedEpisodes {
        var replays = (0..<parts).map { Replay(set, keepsEpisodes: true, part: $0, of: parts) }
        for place in replays.indices { try replays[place].add(Array(Self.day.joined(separator: "\n").utf8)) }
        return try Replay.episodes(&replays)
    }

    func compare(_ old: RuleSet, _ new: RuleSet, parts: Int = 1) throws -> RuleComparison {
        var comparison = RuleComparison()
        comparison.add(old: try episodes(old, parts: parts), new: try episodes(new, parts: parts))
        return comparison
    }

    func set(slow: String = "45s", help: String? = "10s") throws -> RuleSet {
        var rules = [try Rule.b("slow", on: "payment.started", unless: "payment.approved", within: slow).same("pay")]
        if let help { rules.append(try Rule.a("help", on: "help.requested").clearAfter(help)) }
        return RuleSet(rules)
    }

    @Test(arguments: [1, 2, 3]) func theSameRulesChangeNothing(_ parts: Int) throws {
        let comparison = try compare(try set(), try set(), parts: parts)
        #expect(comparison.differences.isEmpty && !comparison.total.isChanged)
        #expect(comparison.total.before == 4 && comparison.total.now == 4)
    }

    @Test(arguments: [1, 2]) func aLongerWaitComesLaterOrNotAtAll(_ parts: Int) throws {
        let comparison = try compare(try set(), try set(slow: "60s"), parts: parts)
        #expect(
            comparison.differences.map { "\($0.lane): \($0.text)" } == [
                "a: - 45s raise slow pay=P1 warning", "b: ~ 46s slow pay=P1 later by 15s",
                "a: ~ 115s slow pay=P2 later by 15s",
            ])
        let slow = try #require(comparison.rules["slow"])
        #expect(slow.before == 3 && slow.now == 2 && slow.gone == 1 && slow.later == 2 && slow.longer == 0)
        #expect(comparison.rules["help"]?.isChanged == false)
        #expect(comparison.lanes["b"]?.later == 1 && comparison.lanes["b"]?.gone == 0)
    }

    @Test func aShorterWaitComesEarlierAndRaisesMore() throws {
        let comparison = try compare(try set(slow: "60s"), try set(slow: "45s"))
        #expect(comparison.total.raised == 1 && comparison.total.earlier == 2 && comparison.total.gone == 0)
        #expect(comparison.differences.first?.text == "+ 45s raise slow pay=P1 warning")
    }

    @Test func clearsAreToldAsLongerAndShorter() throws {
        let longer = try compare(try set(), try set(help: "25s"))
        #expect(longer.differences.map(\.text) == ["~ 60s help longer by 15s"])
        let shorter = try compare(try set(), try set(help: "500ms"))
        #expect(shorter.differences.map(\.text) == ["~ 60s help shorter by 9500ms"])
        let open = try compare(try set(), try set(help: "1h"))
        #expect(open.differences.map(\.text) == ["~ 60s help longer: not cleared any more"])
    }

    @Test func aRuleTakenAwayAndANewOne() throws {
        let less = try compare(try set(), try set(help: nil))
        #expect(less.differences.map(\.text) == ["- 60s raise help warning"])
        let more = try compare(try set(help: nil), try set())
        #expect(more.differences.map(\.text) == ["+ 60s raise help warning"])
        #expect(more.rules["help"]?.raised == 1)
    }

    @Test func anotherSeverityOrEscalationIsOtherwise() throws {
        var louder = try set()
        louder.rules[1].severity = .critical
        let first = try compare(try set(), louder)
        #expect(first.differences.map(\.text) == ["~ 60s help critical, not warning"])
        var called = try set()
        called.rules[0].escalations = [
            Escalation(after: .milliseconds(20_000), severity: .critical, topic: called.rules[0].topic)
        ]
        let second = try compare(try set(), called)
        #expect(second.differences.map(\.text).allSatisfy { $0.hasSuffix("escalates otherwise") })
        #expect(second.total.otherwise == 2)
    }

    /// One that is over before the other begins is no partner.
    @Test func whatDoesNotOverlapIsNotTheSame() {
        func episode(_ from: Int64, _ to: Int64?) -> Episode {
            Episode(rule: "r", key: [], severity: .info, raisedAt: from, clearedAt: to)
        }
        var old = RecordedEpisodes()
        var new = RecordedEpisodes()
        old.lanes["a"] = [episode(0, 10), episode(100, 110)]
        new.lanes["a"] = [episode(20, 30), episode(105, nil)]
        var comparison = RuleComparison()
        comparison.add(old: old, new: new)
        #expect(comparison.total.gone == 1 && comparison.total.raised == 1 && comparison.total.later == 1)
        #expect(comparison.total.longer == 1)
    }
}
