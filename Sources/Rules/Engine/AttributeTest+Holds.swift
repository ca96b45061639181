import Lane

extension AttributeTest {
    /// Whether the test holds. Of an attribute that is absent or of another kind every test is false, `!=` too.
    func holds(for signal: borrowing Signal, _ limitExceeded: inout Int) -> Bool {
        guard let value = signal[attribute] else { return false }
        switch (comparison, value) {
        case (.isOneOf(let values), _): return values.contains { $0.hasSameBytes(as: value) }
        case (.isNot(.int(let refused)), .int(let number)): return number != refused
        case (.isNot(.text(let refused)), .text(let text)): return !text.hasSameBytes(as: refused)
        case (.less(let bound), .int(let number)): return number < bound
        case (.lessOrEqual(let bound), .int(let number)): return number <= bound
        case (.greater(let bound), .int(let number)): return number > bound
        case (.greaterOrEqual(let bound), .int(let number)): return number >= bound
        case (.matches(let pattern), .text(let text)):
            switch pattern.matches(text) {
            case .match: return true
            case .noMatch: return false
            case .limitExceeded:
                limitExceeded += 1
                return false
            }
        default: return false
        }
    }
}

extension AttributeValue {
    fileprivate func hasSameBytes(as other: AttributeValue) -> Bool {
        switch (self, other) {
        case (.int(let a), .int(let b)): return a == b
        case (.text(let a), .text(let b)): return a.hasSameBytes(as: b)
        default: return false
        }
    }
}
