import Foundation
import Testing

@testable import Verify

enum Places {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let reference = repository.appending(path: "docs/reference")

    /// The files of message schemas, by name.
    static func schemaFiles() throws -> [URL] {
        try FileManager.default.contentsOfDirectory(at: reference, includingPropertiesForKeys: nil)
            .filter { $0.lastPathComponent.range(of: #"\.v\d+\.schema\.json$"#, options: .regularExpression) != nil }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }
    }
}

/// The compiled schemas are the files of docs/reference. `make generate` writes them.
@Suite struct GeneratedSchemasTests {
    @Test func theCompiledSchemasAreTheFiles() throws {
        var text = """
            // Made from docs/reference/*.schema.json by `make generate`; do not edit.

            /// The schemas of messages that came with this version, each a JSON text.
            enum ShippedSchemas {
                static let all: [String] = [

            """
        for file in try Places.schemaFiles() {
            let value = try JSONSerialization.jsonObject(with: Data(contentsOf: file))
            let options: JSONSerialization.WritingOptions = [.sortedKeys, .withoutEscapingSlashes]
            let bytes = try JSONSerialization.data(withJSONObject: value, options: options)
            let lines = Self.wrapped(String(decoding: bytes, as: UTF8.self))
            text += "        // \(file.lastPathComponent)\n        #\"\"\"\n"
            text += lines.map { "        \($0)\n" }.joined() + "        \"\"\"#,\n"
        }
        text += "    ]\n}\n"
        let url = Places.repository.appending(path: "Sources/Verify/Schema/ShippedSchemas.swift")
        if ProcessInfo.processInfo.environment["LANEWATCH_GENERATE"] != nil {
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        let stands = try String(contentsOf: url, encoding: .utf8)
        #expect(
            stands == text, "Sources/Verify/Schema/ShippedSchemas.swift is not what docs/reference says: make generate")
    }

    /// Lines of 100 characters, each ended so that the text goes on without a break.
    private static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        var rest = text[...]
        while rest.count > 100 {
            lines.append(rest.prefix(100) + "\\#")
            rest = rest.dropFirst(100)
        }
        return lines + [String(rest)]
    }
}
