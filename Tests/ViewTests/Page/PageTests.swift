import Foundation
import Testing

@testable import Net
@testable import View

/// What browsers are shown, and that nothing else of the lane's disk is.
@Suite struct PageTests {
    private let folder: GateFolder
    private let page: Page

    init() throws {
        folder = try GateFolder()
        for (path, text) in [
            ("novnc/core/rfb.js", "export default 1;"), ("novnc/app/styles/base.css", "a {}"),
            ("novnc/vnc.html", "<p>"),
            ("novnc/core/.hidden.js", "no"), ("novnc/core/notes.txt", "no"), ("novnc/utils/launch.js", "no"),
            ("secret.js", "no"),
        ] {
            let url = URL(fileURLWithPath: "\(folder.path)/\(path)")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/novnc/core/link.js", withDestinationPath: "../../secret.js")
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/novnc/vendor", withDestinationPath: "..")
        try Data(count: NoVNCFiles.mostBytes + 1).write(to: URL(fileURLWithPath: "\(folder.path)/novnc/core/large.js"))
        var options = Page.Options()
        options.label = "lane \"7\""
        options.novnc = "\(folder.path)/novnc"
        options.policy.none = .view
        page = Page(options)
    }

    private func get(_ path: String, _ fields: [(String, String)] = [("host", "lane:5843")]) -> HTTPResponse {
        page.answer(
            HTTPRequest(
                method: "GET", path: path, query: nil, minorVersion: 1,
                fields: fields.map { .init(name: $0.0, value: $0.1) }))
    }

    private func field(_ response: HTTPResponse, _ name: String) -> String? {
        let all = response.fields.filter { $0.name == name }
        return all.count == 1 ? all[0].value : nil
    }

    @Test func thePageAndAllThatItNamesIsThere() throws {
        let index = get("/")
        #expect(index.status == 200 && field(index, "content-type") == "text/html; charset=utf-8")
        let text = String(decoding: index.body, as: UTF8.self)
        var named = text.matches(of: /(?:src|href)="([^"]+)"/).map { String($0.1) }
        #expect(named.count >= 3)
        for name in PageAssets.all.keys where name.hasSuffix(".js") {
            let script = String(decoding: get("/page/\(name)").body, as: UTF8.self)
            named += script.matches(of: /from '\.\/([a-z]+\.js)'/).map { "page/\($0.1)" }
        }
        for name in named { #expect(get("/\(name)").status == 200, "\(name)") }
        // Its rules forbid what stands within a page's text.
        #expect(!text.contains("style=") && !text.contains("onclick") && text.matches(of: /<script>/).isEmpty)
    }

    @Test func eachAnswerSaysWhatTheBrowserMayDo() throws {
        for path in ["/", "/page/lane.js", "/page/lane.json", "/novnc/core/rfb.js", "/novnc/vnc.html", "/nothing"] {
            let response = get(path)
            let policy = try #require(field(response, "content-security-policy"), "\(path)")
            #expect(policy.contains("default-src 'none'; script-src 'self'; style-src 'self';"))
            #expect(policy.contains("frame-ancestors 'none'") && policy.contains("connect-src 'self' wss://lane:5843;"))
            #expect(!policy.contains("unsafe"))
            #expect(field(response, "referrer-policy") == "no-referrer")
            #expect(field(response, "x-content-type-options") == "nosniff", "\(path)")
        }
        // What a client says of its host comes into no header unless it is one.
        let forged = get("/", [("host", "a; script-src *")])
        #expect(field(forged, "content-security-policy")?.contains("script-src *") == false)
        var options = Page.Options()
        options.frames = ["https://console.example"]
        let framed = Page(options).answer(
            HTTPRequest(method: "GET", path: "/page/words.js", query: nil, minorVersion: 1, fields: []))
        #expect(field(framed, "content-security-policy")?.hasSuffix("frame-ancestors https://console.example") == true)
    }

    @Test(arguments: [
        "/novnc/../secret.js", "/novnc/core/../../secret.js", "/novnc/core/%2e%2e/%2e%2e/secret.js",
        "/novnc//etc/passwd",
        "/novnc/core/link.js", "/novnc/vendor/secret.js", "/novnc/core/.hidden.js", "/novnc/core/notes.txt",
        "/novnc/utils/launch.js", "/novnc/core/large.js", "/novnc/core", "/novnc/core/", "/novnc/", "/novnc/.js",
        "/novnc/core/rfb.js/", "/novnc/core/./rfb.js", "/novnc/core/rfb.js%00", "/novnc/secret.js",
        "/page/../secret.js",
        "/page/", "/page/nothing.js", "//page/lane.js", "/page", "/secret.js", "/novnc/core/a/b/c/d/e/f.js", "*", "",
    ])
    func nothingElseIsThere(path: String) {
        let response = get(path)
        #expect(response.status == 404, "\(path)")
        #expect(!String(decoding: response.body, as: UTF8.self).contains("no\n"))
    }

    @Test func filesAreKeptByBrowsersAndAskedForAgain() throws {
        for path in ["/", "/page/page.css", "/novnc/core/rfb.js"] {
            let first = get(path)
            let tag = try #require(field(first, "etag"))
            #expect(first.status == 200 && field(first, "cache-control") == "no-cache")
            let second = get(path, [("if-none-match", tag), ("host", "lane")])
            #expect(second.status == 304 && second.body.isEmpty && field(second, "etag") == tag)
            let head = String(decoding: second.head(keepsAlive: true, now: 0), as: UTF8.self)
            #expect(head.hasPrefix("HTTP/1.1 304 Not Modified") && !head.contains("content-length"))
            #expect(get(path, [("if-none-match", "\"other\""), ("host", "lane")]).status == 200)
        }
        let tag = field(get("/novnc/core/rfb.js"), "etag")
        try Data("export default 12;".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/novnc/core/rfb.js"))
        #expect(field(get("/novnc/core/rfb.js"), "etag") != tag)
    }

    @Test func theCardTellsTheLaneAndTheWaysIn() throws {
        let card = try JSONSerialization.jsonObject(with: Data(get("/page/lane.json").body)) as? [String: Any]
        #expect(card?["lane"] as? String == "lane \"7\"" && card?["ways"] as? [String] == ["token", "none"])
        #expect(field(get("/page/lane.json"), "cache-control") == "no-store")
    }

    @Test func withoutNoVNCThePageSaysHowToInstallIt() throws {
        var options = Page.Options()
        options.novnc = "\(folder.path)/elsewhere"
        let answer = Page(options).answer(
            HTTPRequest(method: "GET", path: "/", query: nil, minorVersion: 1, fields: []))
        #expect(answer.status == 503 && String(decoding: answer.body, as: UTF8.self).contains("apt-get install novnc"))
        let stock = get("/vnc.html")
        #expect(stock.status == 302 && field(stock, "location") == "/novnc/vnc.html")
    }

    /// Debian's package holds what the page needs.
    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/usr/share/novnc/core/rfb.js")))
    func theInstalledNoVNCIsWhole() throws {
        let page = Page(Page.Options())
        var asked = ["/novnc/core/rfb.js", "/novnc/vnc.html", "/novnc/app/ui.js"]
        var seen: Set<String> = []
        while let path = asked.popLast() {
            guard seen.insert(path).inserted else { continue }
            let answer = page.answer(
                HTTPRequest(method: "GET", path: path, query: nil, minorVersion: 1, fields: []))
            #expect(answer.status == 200, "\(path)")
            guard path.hasSuffix(".js") else { continue }
            let base = try #require(URL(string: "https://lane\(path)"))
            for found in String(decoding: answer.body, as: UTF8.self).matches(of: /from ['"](\.[^'"]+)['"]/) {
                asked.append(try #require(URL(string: String(found.1), relativeTo: base)).absoluteURL.path)
            }
        }
        #expect(seen.count > 30)
    }
}
