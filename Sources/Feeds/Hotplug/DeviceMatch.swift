/// Which device is meant. All parts that are given must hold; at least one must be given.
public struct DeviceMatch: Hashable, Sendable {
    /// The device's name; `*` stands for any characters, `?` for one.
    public var name: String?
    public var vendor: UInt16?
    public var product: UInt16?
    /// The port it is plugged into, as `DeviceFacts.phys` has it; `*` and `?` as in `name`.
    public var phys: String?
    /// A link to its node: `/dev/input/by-id/…` or `/dev/input/by-path/…`, whole.
    public var link: String?
    /// udev properties and their values, all of which it must have.
    public var properties: [String: String] = [:]

    public init() {}

    /// Nothing is given, so nothing is meant.
    public var isEmpty: Bool {
        name == nil && vendor == nil && product == nil && phys == nil && link == nil && properties.isEmpty
    }

    public func matches(_ facts: DeviceFacts) -> Bool {
        if isEmpty { return false }
        if let name, !Glob.matches(name, facts.name) { return false }
        if let vendor, facts.vendor != vendor { return false }
        if let product, facts.product != product { return false }
        if let phys, !Glob.matches(phys, facts.phys) { return false }
        if let link, !facts.links.contains(link) { return false }
        return properties.allSatisfy { facts.properties[$0.key] == $0.value }
    }
}

/// Shell-like patterns: `*` any bytes, `?` one character, everything else itself. Case counts.
enum Glob {
    /// Linear in pattern times text at worst: on a mismatch only the last `*` takes one more.
    static func matches(_ pattern: String, _ text: String) -> Bool {
        let pattern = Array(pattern.unicodeScalars)
        let text = Array(text.unicodeScalars)
        var p = 0
        var t = 0
        var star: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == "*" {
                star = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == "?" || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let last = star {
                star = (last.pattern, last.text + 1)
                p = last.pattern + 1
                t = last.text + 1
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == "*" }
    }
}
