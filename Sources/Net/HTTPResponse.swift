import Glibc

/// An answer, whole in memory.
public struct HTTPResponse: Hashable, Sendable {
    public var status: Int
    /// As they are written, without length, date and connection, which the server adds.
    public var fields: [HTTPRequest.Field]
    public var body: [UInt8]

    public init(status: Int = 200, type: String = "text/plain; charset=utf-8", body: [UInt8]) {
        self.status = status
        fields = [
            HTTPRequest.Field(name: "content-type", value: type),
            HTTPRequest.Field(name: "cache-control", value: "no-store"),
            HTTPRequest.Field(name: "x-content-type-options", value: "nosniff"),
        ]
        self.body = body
    }

    /// The answer to a request that was refused.
    public init(_ fault: HTTPFault) {
        self.init(status: fault.status, body: Array((fault.reason + "\n").utf8))
        if fault.status == 405 { fields.append(HTTPRequest.Field(name: "allow", value: "GET, HEAD")) }
        if fault.status == 426 {
            fields.append(HTTPRequest.Field(name: "upgrade", value: "websocket"))
            fields.append(HTTPRequest.Field(name: "sec-websocket-version", value: "13"))
        }
        if fault.status == 429 || fault.status == 503 {
            fields.append(HTTPRequest.Field(name: "retry-after", value: "1"))
        }
    }

    /// As it goes over the wire; without the body for a HEAD. `now` is Unix time in seconds.
    func bytes(isHead: Bool, keepsAlive: Bool, now: Int) -> [UInt8] {
        head(keepsAlive: keepsAlive, now: now) + (isHead ? [] : body)
    }

    /// All that stands before the body, the empty line included. `now` is Unix time in seconds.
    public func head(keepsAlive: Bool, now: Int) -> [UInt8] {
        var head = "HTTP/1.1 \(status) \(Self.reason(status))\r\n"
        head += "date: \(Self.date(now))\r\n"
        for field in fields { head += "\(field.name): \(field.value)\r\n" }
        // Of 304 it would be the length of what is not sent. Source: RFC 9110, 8.6.
        if status != 304 { head += "content-length: \(body.count)\r\n" }
        head += "connection: \(keepsAlive ? "keep-alive" : "close")\r\n\r\n"
        return Array(head.utf8)
    }

    /// `Sun, 06 Nov 1994 08:49:37 GMT`. Source: RFC 9110, 5.6.7.
    static func date(_ seconds: Int) -> String {
        var seconds = seconds
        var parts = tm()
        guard gmtime_r(&seconds, &parts) != nil else { return "Thu, 01 Jan 1970 00:00:00 GMT" }
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        let day = "\(days[Int(parts.tm_wday) % 7]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon) % 12])"
        return "\(day) \(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
    }

    private static func reason(_ status: Int) -> String {
        switch status {
        case 200: return "OK"
        case 302: return "Found"
        case 304: return "Not Modified"
        case 400: return "Bad Request"
        case 403: return "Forbidden"
        case 404: return "Not Found"
        case 405: return "Method Not Allowed"
        case 408: return "Request Timeout"
        case 411: return "Length Required"
        case 413: return "Content Too Large"
        case 414: return "URI Too Long"
        case 426: return "Upgrade Required"
        case 429: return "Too Many Requests"
        case 431: return "Request Header Fields Too Large"
        case 503: return "Service Unavailable"
        case 505: return "HTTP Version Not Supported"
        default: return "Status"
        }
    }
}
