import Lane
import YAML

/// A change as tests and replays write it: `45s raise payment-timeout pay=P1 warning`.
public enum ResultLine {
    /// The line for `change`, `start` being 0; nil for a change without a line (an `update` makes none).
    public static func text(of change: Change, from start: LaneInstant) -> String? {
        let time = time(milliseconds: change.at.milliseconds(since: start))
        return withoutTime(change).map { "\(time) \($0)" }
    }

    /// `raise payment-timeout pay=P1 warning`
    static func withoutTime(_ change: Change) -> String? {
        let intervention = change.intervention
        let subject =
            [change.kind.rawValue, intervention.rule] + intervention.key.map { "\($0.name)=\(quoted($0.value))" }
        switch change.kind {
        case .raise, .escalate: return (subject + [intervention.severity.name]).joined(separator: " ")
        case .clear: return subject.joined(separator: " ")
        case .update: return nil
        }
    }

    /// Whole seconds as `45s`, else `45001ms`.
    public static func time(milliseconds: Int64) -> String {
        milliseconds % 1000 == 0 ? "\(milliseconds / 1000)s" : "\(milliseconds)ms"
    }

    /// Milliseconds of `45s`, `500ms`, `2m`, `1h`, `0s`; nil for anything else.
    public static func milliseconds(of text: some StringProtocol) -> Int64? {
        DurationScalar.milliseconds(String(text))
    }

    /// A value as lines hold it: bare, or as a JSON string where it is empty or holds a blank, a quote or a control
    /// character.
    public static func quoted(_ value: String) -> String {
        let isBare =
            !value.isEmpty
            && value.unicodeScalars.allSatisfy { scalar in
                scalar != "\"" && !scalar.properties.isWhitespace && scalar.properties.generalCategory != .control
            }
        if isBare { return value }
        var json = JSONWriter()
        json.value(value)
        return json.text
    }
}
