import Lane

extension Schema {
    /// The first thing that is wrong with `value`: where it is, and what is expected there. Never the value itself, which may
    /// be what nobody should read. Nil where all is right.
    public func fault(of value: JSONValue) -> String? { fault(of: value, "") }

    private func fault(of value: JSONValue, _ path: String) -> String? {
        if let always { return always ? nil : "\(named(path)) must not be there" }
        if !kinds.isEmpty, !kinds.contains(where: { value.isOf($0) }) {
            return "\(named(path)) must be \(kinds.map(\.rawValue).sorted().joined(separator: " or "))"
        }
        if isEnumerated, !values.contains(where: { $0.isSame(as: value) }) {
            return "\(named(path)) must be one of \(values.map(\.written).joined(separator: ", "))"
        }
        switch value {
        case .string(let text):
            if let fault = fault(ofText: text, path) { return fault }
        case .int, .double:
            if let number = value.number, let fault = fault(ofNumber: number, path) { return fault }
        case .array(let elements):
            if let fault = fault(of: elements, path) { return fault }
        case .object(let members):
            if let fault = fault(of: members, of: value, path) { return fault }
        case .null, .bool: break
        }
        return faultOfParts(value, path)
    }

    private func named(_ path: String) -> String { path.isEmpty ? "the value" : path }

    private func fault(ofText text: String, _ path: String) -> String? {
        if length.least != nil || length.most != nil {
            let count = Int64(text.unicodeScalars.count)
            if let least = length.least, count < least { return "\(named(path)) must have \(least) characters or more" }
            if let most = length.most, count > most { return "\(named(path)) must have \(most) characters or fewer" }
        }
        if let pattern, !pattern.matches(text) { return "\(named(path)) does not match its pattern" }
        if isDateTime, WallInstant(rfc3339: text) == nil { return "\(named(path)) must be an RFC 3339 time" }
        return nil
    }

    private func fault(ofNumber number: Double, _ path: String) -> String? {
        if let least = range.least, number < least { return "\(named(path)) must be \(least) or more" }
        if let most = range.most, number > most { return "\(named(path)) must be \(most) or less" }
        return nil
    }

    private func fault(of elements: [JSONValue], _ path: String) -> String? {
        let count = Int64(elements.count)
        if let least = itemCount.least, count < least { return "\(named(path)) must have \(least) elements or more" }
        if let most = itemCount.most, count > most { return "\(named(path)) must have \(most) elements or fewer" }
        guard let items else { return nil }
        for (index, element) in elements.enumerated() {
            if let fault = items.fault(of: element, "\(path)[\(index)]") { return fault }
        }
        return nil
    }

    private func fault(of members: [JSONValue.Member], of value: JSONValue, _ path: String) -> String? {
        for name in required where !members.contains(where: { $0.name == name }) {
            return "\(named(path)) has no \(name)"
        }
        if memberCount.least != nil || memberCount.most != nil {
            let count = Int64(Set(members.map(\.name)).count)
            if let least = memberCount.least, count < least {
                return "\(named(path)) must have \(least) members or more"
            }
            if let most = memberCount.most, count > most { return "\(named(path)) must have \(most) members or fewer" }
        }
        guard !properties.isEmpty || others != nil else { return nil }
        // Of a repeated name the last counts. Looking behind each is quick where there are few.
        var lasts: [String: Int]?
        if members.count > 32 {
            let places = members.enumerated().map { ($0.element.name, $0.offset) }
            lasts = Dictionary(places, uniquingKeysWith: { max($0, $1) })
        }
        for (index, member) in members.enumerated() {
            guard let schema = properties[member.name] ?? others else { continue }
            let isLast =
                lasts.map { $0[member.name] == index }
                ?? !members[(index + 1)...].contains(where: { $0.name == member.name })
            guard isLast else { continue }
            // Names that the schema does not know may hold anything: they are not repeated.
            let name = properties[member.name] == nil ? "a member" : member.name
            if let fault = schema.fault(of: member.value, path.isEmpty ? name : "\(path).\(name)") { return fault }
        }
        return nil
    }

    private func faultOfParts(_ value: JSONValue, _ path: String) -> String? {
        for schema in all { if let fault = schema.fault(of: value, path) { return fault } }
        if !any.isEmpty, !any.contains(where: { $0.fault(of: value, path) == nil }) {
            return "\(named(path)) fits none of what it may be"
        }
        if let not, not.fault(of: value, path) == nil { return "\(named(path)) is what it must not be" }
        guard let condition else { return nil }
        let branch = condition.fault(of: value, path) == nil ? then : otherwise
        return branch?.fault(of: value, path)
    }
}

extension JSONValue {
    fileprivate func isOf(_ kind: Schema.Kind) -> Bool {
        switch (self, kind) {
        case (.null, .null), (.bool, .boolean), (.int, .integer), (.int, .number), (.double, .number),
            (.string, .string), (.array, .array), (.object, .object):
            true
        // 1.0 is an integer. Source: JSON Schema Validation, 6.1.1.
        case (.double(let value), .integer): value == value.rounded() && value.isFinite
        default: false
        }
    }
}
