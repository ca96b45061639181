/// One line of the allow-list: a device that is meant, the role it plays on this lane, and how it is read. What no line means is
/// ignored and never opened. Of several lines that mean one device, the first counts.
public struct EvdevDeviceRule: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A wedge scanner: `scan.read`.
        case scanner
        /// A touch screen: `touch`, without coordinates.
        case touch
        /// A key pad: `keypad`, without keys.
        case keypad
        /// A magnetic stripe reader: `card.swiped`, and nothing else of what it types.
        case msr
        /// Only its coming and going is told (scales, printers, terminals); never opened.
        case presence
    }

    /// The `device` of signals: `scanner`, `printer`, …
    public var role: String
    public var kind: Kind
    public var match: DeviceMatch
    /// Of a `scanner`.
    public var scan = ScanOptions()

    public init(role: String, kind: Kind, match: DeviceMatch) {
        self.role = role
        self.kind = kind
        self.match = match
    }

    /// What is wrong with it, a sentence each; empty when nothing is. Looks the layout up in xkb-data: 20 ms.
    public func problems() -> [String] {
        var problems: [String] = []
        if role.isEmpty { problems.append("a device needs a role, such as scanner") }
        if match.isEmpty {
            problems.append(
                "device \(role) says nothing to know it by: give name, vendor and product, phys, link or a property")
        }
        guard kind == .scanner else { return problems }
        if Keymap(layout: scan.layout, variant: scan.variant) == nil {
            let variant = scan.variant.isEmpty ? "" : " (\(scan.variant))"
            problems.append(
                "device \(role): xkb-data has no layout \(scan.layout)\(variant); us, de, fr and gb are some")
        }
        if scan.terminators.isEmpty { problems.append("device \(role): no terminator, so no code would ever end") }
        func check(_ what: String, _ value: Int, _ range: ClosedRange<Int>, _ unit: String) {
            guard !range.contains(value) else { return }
            problems.append(
                "device \(role): \(what) is \(value)\(unit); it must be \(range.lowerBound) to \(range.upperBound)\(unit)"
            )
        }
        check("the gap", scan.gapMilliseconds, 1...1000, " ms")
        check("the silence", scan.silenceMilliseconds, max(1, scan.gapMilliseconds)...10_000, " ms")
        check("the maximum length", scan.maximumLength, 1...4096, "")
        check("the minimum length", scan.minimumLength, 1...max(1, scan.maximumLength), "")
        return problems
    }
}

extension [EvdevDeviceRule] {
    /// The line that means `facts`, or nil: such a device is ignored.
    func rule(for facts: DeviceFacts) -> EvdevDeviceRule? { first { $0.match.matches(facts) } }
}
