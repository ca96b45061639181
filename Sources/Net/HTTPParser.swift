/// Bytes in pieces of any size → requests. Strict, and bounded. Sources: RFC 9110, RFC 9112.
///
/// What may be read in two ways is refused, not guessed: line feeds without carriage returns, folded fields, blanks before
/// colons, repeated lengths, a length beside a transfer coding. A body of up to `Limits.bodyBytes` is thrown away.
public struct HTTPParser: Sendable {
    public struct Limits: Hashable, Sendable {
        public var headBytes = 8192
        public var fields = 64
        public var targetBytes = 2048
        public var bodyBytes = 4096
        public init() {}
    }

    private let limits: Limits
    private var buffer: [UInt8] = []
    /// Where the search for the end of the head goes on.
    private var searched = 0
    /// What may stand before the head has been looked at.
    private var hasBegun = false
    /// A request whose body is not here yet, and how much of that is missing.
    private var waiting: (request: HTTPRequest, missing: Int)?
    private var fault: HTTPFault?

    public init(_ limits: Limits = Limits()) { self.limits = limits }

    /// Whether a part of a request is here.
    public var isInside: Bool { !buffer.isEmpty || waiting != nil }

    /// Adds bytes. At most `headBytes + bodyBytes` beyond those of whole requests are kept.
    public mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard fault == nil else { return }
        buffer.append(contentsOf: bytes)
    }

    /// The next request, or nil when more bytes are needed. After an error everything that comes is ignored.
    public mutating func next() throws(HTTPFault) -> HTTPRequest? {
        if let fault { throw fault }
        do throws(HTTPFault) { return try take() } catch {
            fault = error
            buffer = []
            waiting = nil
            throw error
        }
    }

    private mutating func take() throws(HTTPFault) -> HTTPRequest? {
        if waiting == nil {
            guard let end = try endOfHead() else { return nil }
            let head = HTTPHead(buffer[..<end], limits)
            let (request, bodyBytes) = try head.parse()
            buffer.removeFirst(end + 4)
            searched = 0
            hasBegun = false
            waiting = (request, bodyBytes)
        }
        guard let (request, missing) = waiting else { return nil }
        let here = min(missing, buffer.count)
        buffer.removeFirst(here)
        waiting = here == missing ? nil : (request, missing - here)
        return here == missing ? request : nil
    }

    /// Where the empty line begins that ends the head; checks limits as early as bytes allow.
    private mutating func endOfHead() throws(HTTPFault) -> Int? {
        // One empty line before a request is forgiven, as old clients send one after a body (RFC 9112, 2.2).
        if !hasBegun {
            if buffer.isEmpty || buffer == [0x0D] { return nil }
            if buffer.starts(with: [0x0D, 0x0A]) { buffer.removeFirst(2) }
            hasBegun = true
        }
        var index = max(0, searched - 3)
        while index + 3 < buffer.count {
            if buffer[index] == 0x0D, buffer[index + 1] == 0x0A, buffer[index + 2] == 0x0D, buffer[index + 3] == 0x0A {
                guard index <= limits.headBytes else {
                    throw HTTPFault(431, "the head is longer than \(limits.headBytes) bytes")
                }
                return index
            }
            index += 1
        }
        searched = buffer.count
        if buffer.count > limits.headBytes {
            if !buffer.contains(0x0A) {
                throw HTTPFault(414, "the request line is too long")
            }
            throw HTTPFault(431, "the head is longer than \(limits.headBytes) bytes")
        }
        return nil
    }
}

/// A whole head, without the empty line that ends it.
private struct HTTPHead {
    let bytes: ArraySlice<UInt8>
    let limits: HTTPParser.Limits

    init(_ bytes: ArraySlice<UInt8>, _ limits: HTTPParser.Limits) {
        self.bytes = bytes
        self.limits = limits
    }

    func parse() throws(HTTPFault) -> (HTTPRequest, bodyBytes: Int) {
        let lines = try self.lines()
        var request = try requestLine(lines[0])
        guard lines.count - 1 <= limits.fields else { throw HTTPFault(431, "more than \(limits.fields) fields") }
        for line in lines.dropFirst() { request.fields.append(try field(line)) }
        let hosts = request.fields.filter { $0.name == "host" }.count
        guard hosts == 1 || (hosts == 0 && request.minorVersion == 0) else {
            throw HTTPFault(400, "exactly one host field is needed")
        }
        return (request, try bodyBytes(request))
    }

    /// Split at CR LF; either alone is an error.
    private func lines() throws(HTTPFault) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        var index = start
        while index < bytes.endIndex {
            if bytes[index] == 0x0A { throw HTTPFault(400, "a line feed without a carriage return") }
            if bytes[index] == 0x0D {
                guard index + 1 < bytes.endIndex, bytes[index + 1] == 0x0A else {
                    throw HTTPFault(400, "a carriage return without a line feed")
                }
                lines.append(bytes[start..<index])
                index += 1
                start = index + 1
            }
            index += 1
        }
        return lines + [bytes[start...]]
    }

    private func requestLine(_ line: ArraySlice<UInt8>) throws(HTTPFault) -> HTTPRequest {
        guard line.count <= limits.targetBytes + 32 else { throw HTTPFault(414, "the request line is too long") }
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, !parts[0].isEmpty, parts[0].allSatisfy(Self.isToken) else {
            throw HTTPFault(400, "the request line is not \"METHOD TARGET HTTP/1.1\"")
        }
        let version = Array(parts[2])
        guard version.count == 8, version.starts(with: Array("HTTP/".utf8)), version[6] == UInt8(ascii: "."),
            Self.isDigit(version[5]), Self.isDigit(version[7])
        else { throw HTTPFault(400, "the request line is not \"METHOD TARGET HTTP/1.1\"") }
        guard version[5] == UInt8(ascii: "1"), version[7] <= UInt8(ascii: "1") else {
            throw HTTPFault(505, "only HTTP/1.1 and HTTP/1.0 are understood")
        }
        let method = String(decoding: parts[0], as: UTF8.self)
        guard method == "GET" || method == "HEAD" else { throw HTTPFault(405, "only GET and HEAD are understood") }
        let (path, query) = try target(parts[1])
        return HTTPRequest(
            method: method, path: path, query: query, minorVersion: Int(version[7] - 48), fields: [])
    }

    /// `/path?query`, or the whole `http://host/path?query` that a proxy sends.
    private func target(_ bytes: ArraySlice<UInt8>) throws(HTTPFault) -> (String, String?) {
        guard !bytes.isEmpty, bytes.count <= limits.targetBytes else {
            throw HTTPFault(bytes.isEmpty ? 400 : 414, "the target must have 1 to \(limits.targetBytes) bytes")
        }
        guard bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw HTTPFault(400, "a character in the target that must be escaped")
        }
        var text = String(decoding: bytes, as: UTF8.self)[...]
        if !text.hasPrefix("/") {
            guard text.lowercased().hasPrefix("http://") else {
                throw HTTPFault(400, "the target must begin with \"/\"")
            }
            text = text.dropFirst(7)
            text = text.firstIndex(where: { $0 == "/" || $0 == "?" }).map { text[$0...] } ?? "/"
        }
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts[0].isEmpty ? "/" : String(parts[0])
        return (path, parts.count > 1 ? String(parts[1]) : nil)
    }

    private func field(_ line: ArraySlice<UInt8>) throws(HTTPFault) -> HTTPRequest.Field {
        if line.first == 0x20 || line.first == 0x09 { throw HTTPFault(400, "a folded field") }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
            line[..<colon].allSatisfy(Self.isToken)
        else { throw HTTPFault(400, "a line is not \"name: value\"") }
        var value = line[(colon + 1)...]
        while let first = value.first, first == 0x20 || first == 0x09 { value = value.dropFirst() }
        while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
        guard value.allSatisfy({ $0 == 0x09 || ($0 >= 0x20 && $0 != 0x7F) }) else {
            throw HTTPFault(400, "a control character in a field")
        }
        return HTTPRequest.Field(
            name: String(decoding: line[..<colon], as: UTF8.self).lowercased(),
            value: String(decoding: value, as: UTF8.self))
    }

    /// How many bytes of body follow. Source: RFC 9112, 6.3; repeated lengths are refused, even equal ones.
    private func bodyBytes(_ request: HTTPRequest) throws(HTTPFault) -> Int {
        let lengths = request.fields.filter { $0.name == "content-length" }
        if request["transfer-encoding"] != nil {
            guard lengths.isEmpty else { throw HTTPFault(400, "both content-length and transfer-encoding") }
            throw HTTPFault(411, "a body needs a content-length")
        }
        guard let length = lengths.first?.value else { return 0 }
        guard lengths.count == 1, !length.isEmpty, length.utf8.allSatisfy(Self.isDigit) else {
            throw HTTPFault(400, "content-length is not one number")
        }
        guard let count = Int(length), count <= limits.bodyBytes else {
            throw HTTPFault(413, "the body is larger than \(limits.bodyBytes) bytes")
        }
        return count
    }

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 48 && byte <= 57 }

    /// `tchar` of RFC 9110, 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case 48...57, 65...90, 97...122: return true
        default: return "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
