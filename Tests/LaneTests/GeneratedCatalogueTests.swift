import Foundation
import Lane
import Testing
import YAML

/// The compiled catalogue and its page equal `rules/signals.yaml`. `make generate` writes both.
@Suite struct GeneratedCatalogueTests {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    struct Entry {
        var name: String
        var from: [String]
        var attributes: [(name: String, kind: String, unit: String)]
        var doc: String
        var rate: Int64
    }

    static func entries() throws -> [Entry] {
        let bytes = try Data(contentsOf: repository.appending(path: "rules/signals.yaml"))
        let document = YAMLDocument(file: "rules/signals.yaml", bytes: Array(bytes))
        let findings = Findings(document)
        let root = try #require(document.root)
        let top = try #require(YAMLMapping(root, "the catalogue", keys: ["format", "signals"], findings))
        #expect(top.int("format") == 1)
        let signals = try #require(top.mapping("signals", "signals"))
        let entries = signals.pairs.compactMap { pair -> Entry? in
            guard
                let map = YAMLMapping(
                    pair.value, "a signal", keys: ["from", "attributes", "units", "rate", "doc"], findings)
            else { return nil }
            map.require("from", "attributes", "doc")
            let units = map.mapping("units", "units")
            let attributes = (map.mapping("attributes", "attributes")?.pairs ?? []).map { attribute in
                (attribute.key, attribute.value.scalar?.text ?? "", units?.text(attribute.key) ?? "")
            }
            return Entry(
                name: pair.key, from: map.texts("from").map(\.text), attributes: attributes, doc: map.text("doc") ?? "",
                rate: map.int("rate", in: 1...1_000_000) ?? 0)
        }
        #expect(findings.diagnostics.map { $0.rendered() } == [])
        return entries
    }

    @Test func theCompiledCatalogueIsTheFile() throws {
        try compare(Self.swift(try Self.entries()), with: "Sources/Lane/ShippedCatalogue.swift")
    }

    @Test func thePageIsTheFile() throws {
        try compare(Self.page(try Self.entries()), with: "docs/reference/signals.md")
    }

    private func compare(_ text: String, with path: String) throws {
        let url = Self.repository.appending(path: path)
        if ProcessInfo.processInfo.environment["LANEWATCH_GENERATE"] != nil {
            try text.write(to: url, atomically: true, encoding: .utf8)
        }
        let stands = try String(contentsOf: url, encoding: .utf8)
        #expect(stands == text, "\(path) is not what rules/signals.yaml says; run `make generate`")
    }

    static func swift(_ entries: [Entry]) -> String {
        var names: [String] = []
        for attribute in entries.flatMap(\.attributes) where !names.contains(attribute.name) {
            names.append(attribute.name)
        }
        var lines = [
            "// Generated from rules/signals.yaml. Do not edit: change the file and run `make generate`.",
            "// swift-format-ignore-file", "", "extension SignalCatalogue {",
            "    static let shippedAttributeNames: [String] = [",
        ]
        lines += names.map { "        \"\($0)\"," }
        lines += ["    ]", "", "    static let shippedEntries: [Entry] = ["]
        for entry in entries {
            let attributes = entry.attributes.map { attribute in
                let place = names.firstIndex(of: attribute.name) ?? -1
                let unit = attribute.unit.isEmpty ? "" : ", \"\(attribute.unit)\""
                return "Declared(\(place), .\(attribute.kind)\(unit))"
            }
            lines.append("        Entry(")
            lines.append("            \"\(entry.name)\", [\(entry.from.map { "." + $0 }.joined(separator: ", "))],")
            lines.append("            [\(attributes.joined(separator: ", "))],")
            lines.append("            \"\(entry.doc)\"\(entry.rate > 0 ? ", rate: \(entry.rate)" : "")),")
        }
        lines += ["    ]", "}", "", "extension SignalType {"]
        for (place, entry) in entries.enumerated() {
            lines.append("    public static let \(camel(entry.name)) = SignalType(index: \(place))")
        }
        lines += ["}", "", "extension AttributeName {"]
        for (place, name) in names.enumerated() {
            let word = camel(name)
            let escaped = ["if", "class", "type"].contains(word) ? "`\(word)`" : word
            lines.append("    public static let \(escaped) = AttributeName(index: \(place))")
        }
        return (lines + ["}", ""]).joined(separator: "\n")
    }

    static func page(_ entries: [Entry]) -> String {
        var lines = [
            "# Signals", "",
            "What a lane can say. Generated from `rules/signals.yaml`; rule files name these types and attributes, and the POS",
            "application's [socket](socket.md) takes those that name `pos`. Attributes are text unless they say int. `per second` is what a",
            "busy lane brings at its peak, where that is much: `lanewatch check` warns of patterns on more than 10 a second.",
            "",
            "| signal | attributes | from | per second | meaning |", "|---|---|---|---|---|",
        ]
        for entry in entries {
            let attributes = entry.attributes.map { attribute in
                guard attribute.kind == "int" else { return "`\(attribute.name)`" }
                return "`\(attribute.name)` int" + (attribute.unit.isEmpty ? "" : " (\(attribute.unit))")
            }
            lines.append(
                "| `\(entry.name)` | \(attributes.joined(separator: ", ")) | \(entry.from.joined(separator: ", ")) | \(entry.rate > 0 ? String(entry.rate) : "") | \(entry.doc) |"
            )
        }
        return (lines + [""]).joined(separator: "\n")
    }

    private static func camel(_ name: String) -> String {
        let parts = name.split { $0 == "." || $0 == "_" }
        return parts.enumerated().map { $0.offset == 0 ? String($0.element) : $0.element.capitalized }.joined()
    }
}
