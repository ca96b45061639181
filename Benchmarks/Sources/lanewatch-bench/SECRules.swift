/// The rules of `BenchmarkRules.file` as SEC's configuration. Source: sec(1), version 2.9.
///
/// Line for line the same decisions, in the idioms of SEC's own manual:
/// - no answer: PairWithWindow; the clear by a late answer is a context that its action leaves.
/// - too many: SingleWithThreshold; "unless" is the action `reset`; what is raised is a context with `clear_after` as lifetime.
/// - it lasts: a context with the wait as its lifetime, which raises when it expires and which each "unless" sets anew.
/// - at once: Single.
///
/// Where the two differ, and what that means here: SEC counts time in whole seconds of the wall clock at reading, and each rule
/// is tried on each line (`continue=TakeNext`), as ours sees every signal. A second raise of what is raised stays silent in
/// both. SEC keeps nothing over a restart and numbers nothing; neither is asked of it.
enum SECRules {
    /// How the configuration is laid out.
    enum Layout: String {
        /// One file, each rule tried on each line.
        case flat = "one list"
        /// As its manual advises for many rules: a file for each group of types, reached by a Jump rule.
        case jumps = "jumps by type"
    }

    private static let open = #""type":"pos\.state".*"state":"basket_open""#
    private static let closed = #""type":"pos\.state".*"state":"(?:idle|void|closed)""#
    private static let touched = #""type":"(?:touch|scan\.read|item\.accepted|scale\.stable)""#
    private static let approved = #""type":"payment\.approved""#
    private static let declined = #""type":"payment\.declined""#

    private static let wait = "create IDLE 60 (write - raise abandoned-basket; create ABANDONED)"

    /// - Parameter context: in brackets it is looked at before the pattern, which saves the pattern where it is seldom true.
    private static func single(_ pattern: String, _ context: String?, _ description: String, _ action: String) -> String
    {
        "type=Single\ncontinue=TakeNext\nptype=RegExp\npattern=\(pattern)\n"
            + (context.map { "context=\($0)\n" } ?? "") + "desc=\(description)\naction=\(action)\n\n"
    }

    private static let basket =
        single(open, "!BASKET", "basket is open", "create BASKET; \(wait)")
        + single(closed, "[ABANDONED]", "basket is closed", "write - clear abandoned-basket; delete ABANDONED")
        + single(closed, "BASKET", "basket is closed", "delete BASKET; delete IDLE")

    private static let touches =
        single(touched, "IDLE", "customer is here", "set IDLE 60")
        + single(
            touched, "[ABANDONED]", "customer is back", "write - clear abandoned-basket; delete ABANDONED; \(wait)")

    private static let payments =
        single(
            #""type":"payment\.(approved|declined)".*"pay":"([^"]*)""#, "LATE_$2", "late answer",
            "write - clear payment-timeout pay=$2; delete LATE_$2")
            + #"""
            type=PairWithWindow
            continue=TakeNext
            ptype=RegExp
            pattern="type":"payment\.started".*"pay":"([^"]*)"
            desc=payment-timeout pay=$1
            action=write - raise %s; create LATE_$1
            continue2=TakeNext
            ptype2=RegExp
            pattern2="type":"payment\.(?:approved|declined)".*"pay":"$1"
            desc2=answered
            action2=none
            window=45


            """#
        + single(approved, "[DECLINED]", "approved", "write - clear three-declines; delete DECLINED")
        + single(approved, nil, "three-declines", "reset +1 three-declines")
            + #"""
            type=SingleWithThreshold
            continue=TakeNext
            ptype=RegExp
            pattern="type":"payment\.declined"
            desc=three-declines
            action=write - raise %s; create DECLINED 600 (write - clear three-declines)
            window=120
            thresh=3


            """#

    private static func idle(_ number: Int) -> String {
        let rule = BenchmarkRules.idle(number)
        let type = rule.type.split(separator: ".").joined(separator: #"\."#)
        return single(
            #""type":"\#(type)".*"\#(rule.attribute)":"\#(rule.value)""#, "!R\(number)", "r\(number)",
            "write - raise %s; create R\(number) 60 (write - clear r\(number))")
    }

    /// A set of rules that only Jump rules reach.
    private static func set(_ name: String, _ rules: String) -> String {
        "type=Options\njoincfset=\(name)\nprocallin=no\n\n" + rules
    }

    private static func jump(_ pattern: String, _ name: String) -> String {
        "type=Jump\nptype=RegExp\npattern=\(pattern)\ncfset=\(name)\n\n"
    }

    /// The configuration's files: name and text.
    ///
    /// - Parameter clock: goes first and is tried on each line (`virtualClock`).
    static func files(_ count: Int, _ layout: Layout, clock: String = "") -> [(name: String, text: String)] {
        let numbers = 0..<max(0, count - 3)
        switch layout {
        case .flat:
            return [("main.sec", clock + basket + touches + payments + numbers.map(idle).joined())]
        case .jumps:
            // The most frequent first: a Jump rule ends the search in its own file.
            let main =
                clock + jump(touched, "touches") + jump(#""type":"payment\."#, "payments")
                + jump(#""type":"pos\.state""#, "states") + jump(#""type":"item\.refused""#, "refusals")
            let states = numbers.filter { BenchmarkRules.idle($0).type == "pos.state" }.map(idle).joined()
            let refusals = numbers.filter { BenchmarkRules.idle($0).type == "item.refused" }.map(idle).joined()
            return [
                ("main.sec", main), ("touches.sec", set("touches", touches)),
                ("payments.sec", set("payments", payments)), ("states.sec", set("states", basket + states)),
            ] + (refusals.isEmpty ? [] : [("refusals.sec", set("refusals", refusals))])
        }
    }

    /// SEC reads no time from its input. For the proof that the translation decides as ours does, this module puts the lines' own
    /// time in the place of the clock, and this rule, which never matches, sets it. No timed run uses it.
    static let clockModule = """
        package VirtualTime;
        our $now = 1767607200;
        BEGIN { *CORE::GLOBAL::time = sub () { $VirtualTime::now }; }
        1;

        """
    static let clockRule = #"""
        type=Suppress
        ptype=PerlFunc
        pattern=sub { if ($_[0] =~ /"t":(\d+)\d{3},/) { $VirtualTime::now = $1; } return 0; }


        """#
}
