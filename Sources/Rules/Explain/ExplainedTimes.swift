import Lane
import YAML

/// How times are written in explanations.
public struct ExplainedTimes: Sendable {
    public enum Style: Sendable {
        /// `4m10.25s`: for people who read.
        case clock
        /// `250250ms`: as result lines have them, for people who compare.
        case lines
    }

    /// The moment that is 0.
    public var zero: LaneInstant
    public var style: Style

    public init(zero: LaneInstant, style: Style) {
        self.zero = zero
        self.style = style
    }

    public func moment(_ at: LaneInstant) -> String {
        let after = at.milliseconds(since: zero)
        return style == .lines ? duration(after) : Self.text(after, trimmed: false)
    }

    public func duration(_ milliseconds: Int64) -> String {
        style == .lines ? ResultLine.time(milliseconds: milliseconds) : Self.text(milliseconds)
    }

    /// `150ms`, `45s`, `39.437s`, `4m10s`, `1h04m10.25s`.
    ///
    /// - Parameter trimmed: no zeros at the end; false keeps all of the milliseconds where there are any, for columns.
    public static func text(_ milliseconds: Int64, trimmed: Bool = true) -> String {
        if milliseconds < 0 { return "-" + text(milliseconds == .min ? .max : -milliseconds, trimmed: trimmed) }
        let (minutes, rest) = milliseconds.quotientAndRemainder(dividingBy: 60_000)
        let (seconds, fraction) = rest.quotientAndRemainder(dividingBy: 1000)
        if trimmed, milliseconds < 1000, milliseconds > 0 { return "\(milliseconds)ms" }
        var tail = fraction == 0 ? "" : "." + padded(fraction, 3)
        while trimmed, tail.last == "0" { tail.removeLast() }
        if minutes == 0 { return "\(seconds)\(tail)s" }
        if minutes < 60 {
            return seconds == 0 && fraction == 0 ? "\(minutes)m" : "\(minutes)m\(padded(seconds, 2))\(tail)s"
        }
        let hours = "\(minutes / 60)h"
        if rest == 0 { return minutes % 60 == 0 ? hours : hours + "\(padded(minutes % 60, 2))m" }
        return hours + "\(padded(minutes % 60, 2))m\(padded(seconds, 2))\(tail)s"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// Milliseconds of what `text` and `ResultLine` write: `4m10s`, `39.437s`, `84437ms`, `1h`; nil for anything else.
    public static func milliseconds(of text: String) -> Int64? {
        var rest = Substring(text)
        var total: Int64 = 0
        var last = Int64.max
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard !digits.isEmpty, digits.utf8.count <= 15, let whole = Int64(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            var fraction: Int64 = 0
            if rest.first == "." {
                let decimals = rest.dropFirst().prefix { $0.isASCII && $0.isNumber }
                guard (1...3).contains(decimals.count), let number = Int64(decimals) else { return nil }
                fraction = number * [100, 10, 1][decimals.count - 1]
                rest = rest.dropFirst(1 + decimals.count)
                guard rest == "s" else { return nil }
            }
            let unit = rest.prefix { $0.isLetter }
            guard let factor = ["h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1][String(unit)] as Int64?, factor < last
            else { return nil }
            last = factor
            rest = rest.dropFirst(unit.count)
            let (product, overflow) = whole.multipliedReportingOverflow(by: factor)
            let (sum, more) = total.addingReportingOverflow(product)
            guard !overflow, !more, sum <= DurationScalar.longest else { return nil }
            total = sum + fraction
        }
        return total
    }
}
