import Net
import Testing

@Suite struct HTTPParserTests {
    /// What a whole input gives, fed in pieces: requests, then perhaps the status of a refusal.
    private func parse(_ text: String, pieces: () -> Int = { 1_000_000 }) -> (requests: [HTTPRequest], status: Int?) {
        parse(Array(text.utf8), pieces: pieces)
    }

    private func parse(_ bytes: [UInt8], pieces: () -> Int) -> (requests: [HTTPRequest], status: Int?) {
        var parser = HTTPParser()
        var requests: [HTTPRequest] = []
        var at = 0
        do throws(HTTPFault) {
            while at < bytes.count {
                let end = min(bytes.count, at + max(1, pieces()))
                bytes[at..<end].withUnsafeBytes { parser.append($0) }
                at = end
                while let request = try parser.next() { requests.append(request) }
            }
        } catch { return (requests, error.status) }
        return (requests, nil)
    }

    /// RFC 9110, 3.9.
    @Test func theExampleOfTheRFCReadsAsWritten() throws {
        let text = """
            GET /hello.txt HTTP/1.1\r
            User-Agent: curl/7.64.1\r
            Host: www.example.com\r
            Accept-Language: en, mi\r
            \r

            """
        let (requests, status) = parse(text)
        #expect(status == nil)
        let request = try #require(requests.first)
        #expect(request.method == "GET" && request.path == "/hello.txt" && request.query == nil)
        #expect(request.minorVersion == 1 && request.keepsAlive)
        #expect(request["user-agent"] == "curl/7.64.1")
        #expect(request["accept-language"] == "en, mi")
        #expect(request["host"] == "www.example.com")
    }

    private static let valid: [(String, String, String?, Bool)] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "/", nil, true),
        ("HEAD /metrics?x=1&y=?z HTTP/1.1\r\nhost:a\r\nConnection: close\r\n\r\n", "/metrics", "x=1&y=?z", false),
        ("GET / HTTP/1.0\r\n\r\n", "/", nil, false),
        ("GET / HTTP/1.0\r\nConnection: Foo , Keep-Alive\r\n\r\n", "/", nil, true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", "/", nil, false),
        ("\r\nGET / HTTP/1.1\r\nHost:  a \t\r\n\r\n", "/", nil, true),
        ("GET http://example.org/pub/WWW/?q HTTP/1.1\r\nHost: x\r\n\r\n", "/pub/WWW/", "q", true),
        ("GET http://example.org HTTP/1.1\r\nHost: x\r\n\r\n", "/", nil, true),
        ("GET HTTP://example.org?q HTTP/1.1\r\nHost: x\r\n\r\n", "/", "q", true),
        ("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "/a", nil, true),
        ("GET /a HTTP/1.1\r\nHost:\r\nX: \u{80}é\r\n\r\n", "/a", nil, true),
    ]

    @Test(arguments: valid.indices)
    func aGoodRequestIsUnderstoodHoweverItIsCut(_ place: Int) {
        let (text, path, query, keepsAlive) = Self.valid[place]
        for pieces in [{ 1 }, { 1_000_000 }, { Int.random(in: 1...7) }] {
            let (requests, status) = parse(text, pieces: pieces)
            #expect(status == nil && requests.count == 1)
            #expect(requests.first?.path == path && requests.first?.query == query)
            #expect(requests.first?.keepsAlive == keepsAlive)
        }
    }

    private static let long = String(repeating: "a", count: 3000)

    @Test(arguments: [
        ("GET /\r\n\r\n", 400), ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400),
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET / http/1.1\r\nHost: a\r\n\r\n", 400),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("\r\n\r\n\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
        // A folded field, blanks before the colon, no name, no colon.
        ("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", 400), ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nnothing\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nX: \u{0}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
        // Ways to smuggle a second request in a body.
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n", 411),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n", 413),
        ("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405), ("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 405), ("get / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET metrics HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET https://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("GET /# HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /é HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n", 414), ("GET /\(long)\(long)\(long)", 414),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505), ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("GET / HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 64) + "\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\(long)\(long)\r\n\r\n", 431),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(long)\(long)\(long)", 431),
    ])
    func aBadRequestIsRefusedHoweverItIsCut(_ text: String, _ status: Int) {
        for pieces in [{ 1 }, { 1_000_000 }, { Int.random(in: 1...11) }] {
            let result = parse(text, pieces: pieces)
            #expect(result.requests.isEmpty)
            #expect(result.status == status)
        }
    }

    @Test func pipelinedRequestsComeOneAfterTheOther() {
        let one = "GET /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 24\r\n\r\nGET /no HTTP/1.1\r\n\r\nabcd"
        let two = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
        for _ in 0..<100 {
            let result = parse(one + two + one) { Int.random(in: 1...30) }
            #expect(result.requests.map(\.path) == ["/1", "/2", "/1"])
            #expect(result.status == nil)
        }
    }

    @Test func afterARefusalNothingIsTaken() {
        var parser = HTTPParser()
        Array("BAD\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8).withUnsafeBytes { parser.append($0) }
        for _ in 0..<3 {
            #expect(throws: HTTPFault.self) { try parser.next() }
            Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8).withUnsafeBytes { parser.append($0) }
        }
    }

    @Test func changedRequestsNeverCrashAndCutsChangeNothing() {
        let seed = Array(
            "GET /metrics?a HTTP/1.1\r\nHost: a:1\r\nContent-Length: 3\r\nAccept: */*\r\n\r\nabcGET / HTTP/1.0\r\n\r\n"
                .utf8)
        for _ in 0..<4000 {
            var bytes = seed
            for _ in 0..<Int.random(in: 1...4) {
                let place = Int.random(in: 0..<bytes.count)
                switch Int.random(in: 0..<3) {
                case 0: bytes[place] = UInt8.random(in: 0...255)
                case 1: bytes.remove(at: place)
                default: bytes.insert([0x0D, 0x0A, 0x20, 0x3A, 0x00, 0x31].randomElement() ?? 0, at: place)
                }
            }
            let whole = parse(bytes) { 1_000_000 }
            let cut = parse(bytes) { Int.random(in: 1...9) }
            #expect(whole.requests == cut.requests)
            #expect(whole.status == cut.status)
        }
    }

    @Test(
        arguments: [
            ("127.0.0.1:9464", "127.0.0.1:9464", true), ("[::1]:0", "[::1]:0", true),
            ("0.0.0.0:80", "0.0.0.0:80", false),
            ("[::]:80", "[::]:80", false), ("localhost:80", nil, false), ("127.0.0.1", nil, false),
            ("::1:80", nil, false),
            ("127.0.0.1:65536", nil, false), ("[127.0.0.1]:80", nil, false), ("", nil, false), ("1.2.3:4", nil, false),
        ] as [(String, String?, Bool)])
    func addressesAreNumeric(_ text: String, _ shown: String?, _ isLoopback: Bool) {
        let address = ListenAddress(text)
        #expect(address?.description == shown)
        #expect((address?.isLoopback ?? false) == isLoopback)
    }
}
