import Glibc
import Net

/// What a browser is shown: our own page at `/`, which is a part of the program, and noVNC's files below `/novnc/`, from a folder.
///
/// | path | what |
/// |---|---|
/// | `/` | the page; where noVNC is not there, one that says so |
/// | `/page/…` | its parts, and `lane.json`: the lane's name, and which ways in are open |
/// | `/novnc/…` | `NoVNCFiles`, `vnc.html` among them; `/vnc.html` leads there |
///
/// Nothing here knows who asks, and nothing of it is secret: a credential never comes by an address. Used on the loop's thread.
public struct Page: Sendable {
    public struct Options: Hashable, Sendable {
        /// What attendants are shown before they are let in.
        public var label = ""
        public var policy = AccessPolicy()
        /// Where noVNC is.
        public var novnc = "/usr/share/novnc"
        /// Origins whose pages may show this one within a frame: `https://console.example`.
        public var frames: [String] = []
        public init() {}
    }

    private let options: Options
    private let files: NoVNCFiles

    public init(_ options: Options) {
        self.options = options
        files = NoVNCFiles(folder: options.novnc)
    }

    public func answer(_ request: HTTPRequest) -> HTTPResponse {
        var response = respond(request)
        response.fields += security(request)
        return response
    }

    private func respond(_ request: HTTPRequest) -> HTTPResponse {
        switch request.path {
        case "/":
            guard files.isThere else { return asset("missing.html", request, status: 503) }
            return asset("index.html", request)
        case "/page/lane.json":
            return HTTPResponse(type: "application/json", body: LaneCard(options).json)
        case "/vnc.html":
            var response = HTTPResponse(status: 302, body: [])
            response.fields.append(.init(name: "location", value: "/novnc/vnc.html"))
            return response
        case let path where path.hasPrefix("/page/"): return asset(String(path.dropFirst(6)), request)
        case let path where path.hasPrefix(NoVNCFiles.place):
            guard let found = files.file(String(path.dropFirst(NoVNCFiles.place.count))) else { return Self.nothing }
            guard found.tag != request["if-none-match"] else { return Self.unchanged(found.tag) }
            guard let bytes = found.read() else { return Self.nothing }
            return Self.file(bytes, found.type, found.tag)
        default: return Self.nothing
        }
    }

    private func asset(_ name: String, _ request: HTTPRequest, status: Int = 200) -> HTTPResponse {
        guard let text = PageAssets.all[name], let dot = name.lastIndex(of: "."),
            let type = NoVNCFiles.types[String(name[dot...])]
        else { return Self.nothing }
        let bytes = Array(text.description.utf8)
        let tag = "\"\(Base64.encodeForAddress(Array(Secrets.sha256(bytes).prefix(12))))\""
        if status == 200, tag == request["if-none-match"] { return Self.unchanged(tag) }
        var response = Self.file(bytes, type, tag)
        response.status = status
        return response
    }

    // MARK: Answers

    private static let nothing = HTTPResponse(HTTPFault(404, "nothing is here; the page is at /"))

    private static func file(_ bytes: [UInt8], _ type: String, _ tag: String) -> HTTPResponse {
        var response = HTTPResponse(type: type, body: bytes)
        response.fields.removeAll { $0.name == "cache-control" }
        // Kept, and asked for each time: another version of the program shows at once, and costs a few bytes otherwise.
        response.fields.append(.init(name: "cache-control", value: "no-cache"))
        response.fields.append(.init(name: "etag", value: tag))
        return response
    }

    /// Source: RFC 9110, 15.4.5.
    private static func unchanged(_ tag: String) -> HTTPResponse {
        var response = file([], "", tag)
        response.status = 304
        response.fields.removeAll { $0.name == "content-type" }
        return response
    }

    /// What the browser may do with it: scripts and styles from here alone, none of them within a page's text; no frames but those that
    /// the configuration names. Pictures by `data:`, as noVNC decodes JPEG that way. Source: CSP 3.
    private func security(_ request: HTTPRequest) -> [HTTPRequest.Field] {
        var connect = "'self'"
        // Older browsers do not count wss: among 'self'. Source: CSP 3, 6.7.2.8.
        if let host = request["host"], host.utf8.allSatisfy(Self.isOfHost), host.utf8.count <= 255 {
            connect += " wss://\(host)"
        }
        let frames = options.frames.isEmpty ? "'none'" : options.frames.joined(separator: " ")
        let policy =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
            + "media-src 'self'; connect-src \(connect); base-uri 'none'; form-action 'none'; frame-ancestors \(frames)"
        return [
            .init(name: "content-security-policy", value: policy),
            .init(name: "referrer-policy", value: "no-referrer"),
            .init(name: "cross-origin-opener-policy", value: "same-origin"),
            .init(name: "cross-origin-resource-policy", value: "same-origin"),
            .init(name: "permissions-policy", value: "camera=(), microphone=(), geolocation=(), fullscreen=(self)"),
        ]
    }

    private static func isOfHost(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5B, 0x5D: true
        default: false
        }
    }
}
