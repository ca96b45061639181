/// A request's head, checked. Its body, if it had a small one, was thrown away.
public struct HTTPRequest: Hashable, Sendable {
    public struct Field: Hashable, Sendable {
        /// In lower case.
        public var name: String
        public var value: String

        public init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// `GET` or `HEAD`: what this server understands.
    public var method: String
    /// The path as it was sent, without the query: `/metrics`. Escapes are not resolved.
    public var path: String
    /// Behind the `?`, nil without one.
    public var query: String?
    /// 0 or 1: HTTP/1.0 or HTTP/1.1.
    public var minorVersion: Int
    public var fields: [Field]

    /// The first field called `name` (lower case).
    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// Whether the connection stays open after the answer. Source: RFC 9112, 9.3.
    public var keepsAlive: Bool {
        var words: [String] = []
        for field in fields where field.name == "connection" {
            words += field.value.lowercased().split(separator: ",").map {
                String($0.filter { $0 != " " && $0 != "\t" })
            }
        }
        if words.contains("close") { return false }
        return minorVersion == 1 || words.contains("keep-alive")
    }
}

/// A request that is refused, and how the answer says so. The connection is closed after it.
public struct HTTPFault: Error, Hashable, Sendable {
    public var status: Int
    public var reason: String
    public init(_ status: Int, _ reason: String) {
        self.status = status
        self.reason = reason
    }
}
