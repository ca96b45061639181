/// HTTP/1.1's way to WebSocket: who may take it, and the answer. Source: RFC 6455, 4.2.
public struct WebSocketUpgrade: Hashable, Sendable {
    /// Hosts whose pages may connect, in lower case, without ports: `lane-07.example`, `127.0.0.1`.
    public var hosts: Set<String>
    /// Whole origins beside them, as browsers write them: `https://console.example:8443`.
    public var origins: Set<String>
    /// What may be spoken inside, the first one that a client offers; in lower case. Source: RFC 6455, 1.9.
    public var protocols = ["binary"]

    public init(hosts: Set<String> = [], origins: Set<String> = []) {
        self.hosts = hosts
        self.origins = origins
    }

    /// The bytes of the answer that turns the connection into a WebSocket.
    ///
    /// A page may connect that came from the very host and port it connects to, or from one of `hosts` or `origins`. Programs that
    /// are no browsers send no origin. Throws the refusal otherwise.
    public func answer(to request: HTTPRequest) throws(HTTPFault) -> [UInt8] {
        guard request.method == "GET", request.minorVersion == 1 else {
            throw HTTPFault(400, "a WebSocket begins with GET and HTTP/1.1")
        }
        guard Self.words(request, "upgrade").contains("websocket"),
            Self.words(request, "connection").contains("upgrade")
        else { throw HTTPFault(426, "this is a WebSocket") }
        guard Self.only(request, "sec-websocket-version") == "13" else {
            throw HTTPFault(426, "WebSocket's version 13 is understood")
        }
        guard let key = Self.only(request, "sec-websocket-key"), Base64.decode(key)?.count == 16 else {
            throw HTTPFault(400, "sec-websocket-key is not 16 bytes in base64")
        }
        guard isWelcome(request) else { throw HTTPFault(403, "pages of that origin may not connect") }
        var head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
        head += "sec-websocket-accept: \(Self.accept(key))\r\n"
        if let chosen = chosenProtocol(of: request) { head += "sec-websocket-protocol: \(chosen)\r\n" }
        return Array((head + "\r\n").utf8)
    }

    /// The one of `protocols` that the answer names; nil where none of them is offered.
    public func chosenProtocol(of request: HTTPRequest) -> String? {
        let offered = Self.words(request, "sec-websocket-protocol")
        return protocols.first { offered.contains($0) }
    }

    static func accept(_ key: String) -> String {
        Base64.encode(Secrets.sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    private func isWelcome(_ request: HTTPRequest) -> Bool {
        let sent = request.fields.filter { $0.name == "origin" }
        guard let origin = sent.first?.value.lowercased() else { return true }
        guard sent.count == 1 else { return false }
        if origins.contains(where: { $0.lowercased() == origin }) { return true }
        guard origin.hasPrefix("https://") else { return false }
        let authority = String(origin.dropFirst(8))
        guard !authority.isEmpty, !authority.contains("/"), !authority.contains("@") else { return false }
        if authority == request["host"]?.lowercased() { return true }
        return hosts.contains(Self.host(of: authority))
    }

    /// `lane-07.example:8443` → `lane-07.example`; `[::1]:8443` → `::1`.
    static func host(of authority: String) -> String {
        if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
        return String(authority.prefix { $0 != ":" })
    }

    /// The value of a field that may stand once.
    private static func only(_ request: HTTPRequest, _ name: String) -> String? {
        let values = request.fields.filter { $0.name == name }
        return values.count == 1 ? values[0].value : nil
    }

    private static func words(_ request: HTTPRequest, _ name: String) -> [String] {
        request.fields.filter { $0.name == name }.flatMap { field in
            field.value.lowercased().split(separator: ",").map { String($0.filter { $0 != " " && $0 != "\t" }) }
        }
    }
}
