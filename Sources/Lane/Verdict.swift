/// What an attendant says of an intervention once it is over: the `verdict` of `attendant.resolved`.
public enum Verdict: String, Hashable, Sendable, CaseIterable {
    case helped
    case selfCorrected = "self-corrected"
    /// Nobody was needed: the rule was wrong.
    case falseAlarm = "false alarm"
    case left
    case maintenance
}
