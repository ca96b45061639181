import Foundation
import Testing

@testable import View

/// The page's files are a part of the program. `make generate` writes them into it.
@Suite struct GeneratedPageTests {
    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// As Swift: each file is a raw text, which nothing within it ends.
    private static func swift(_ files: [(name: String, text: String)]) -> String {
        var text = "// Made of Sources/View/Page/Assets by `make generate`.\n// swift-format-ignore-file\n\n"
        text +=
            "/// The page's own files, by their names.\nenum PageAssets {\n    static let all: [String: StaticString] = [\n"
        for file in files {
            let name = file.name.replacing(".", with: "_")
            text += "        \"\(file.name)\": \(name),\n"
        }
        text += "    ]\n"
        for file in files {
            text += "\n    private static let \(file.name.replacing(".", with: "_")): StaticString = ##\"\"\"\n"
            text += file.text + "\n\"\"\"##\n"
        }
        return text + "}\n"
    }

    @Test func theProgramHoldsThePage() throws {
        let folder = Self.repository.appending(path: "Sources/View/Page/Assets")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        let files = try names.map { name in
            (name: name, text: try String(contentsOf: folder.appending(path: name), encoding: .utf8))
        }
        for file in files {
            #expect(
                file.text.hasSuffix("\n") && !file.text.contains("\"\"\"##") && !file.text.contains("\\##"),
                "\(file.name)")
        }
        let url = Self.repository.appending(path: "Sources/View/Page/PageAssets.swift")
        if ProcessInfo.processInfo.environment["LANEWATCH_GENERATE"] != nil {
            try Self.swift(files).write(to: url, atomically: true, encoding: .utf8)
        }
        let stands = try String(contentsOf: url, encoding: .utf8)
        #expect(stands == Self.swift(files), "PageAssets.swift is not what Assets holds; run `make generate`")
        // And what the compiler made of it.
        for file in files { #expect(PageAssets.all[file.name]?.description == file.text, "\(file.name)") }
    }
}
