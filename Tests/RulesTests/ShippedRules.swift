import Foundation
import Testing
import YAML

@testable import Rules

/// The rules that are shipped, as the tests see them: the files of `rules/`, the set they make, and their tests.
enum ShippedRules {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    static let folder = repository.appendingPathComponent("rules")

    /// Of the folder, those whose names `belong` holds for, in byte order.
    private static func names(_ belong: (String) -> Bool) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).filter(belong).sorted()
    }

    /// `age.yaml`, …: what the agent reads of the folder.
    static var ruleFiles: [String] {
        names { $0.hasSuffix(".yaml") && !$0.hasSuffix(".test.yaml") && !$0.hasPrefix(".") && $0 != "signals.yaml" }
    }
    static var testFiles: [String] { names { $0.hasSuffix(".test.yaml") } }

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func set() throws -> RuleSet {
        let (set, diagnostics) = RuleFile.load(files: try ruleFiles.map { (name: $0, bytes: try bytes($0)) })
        for diagnostic in diagnostics { Issue.record("\(diagnostic.rendered())") }
        return try #require(set)
    }

    static func tests(_ name: String) throws -> RuleTestFile {
        let (file, diagnostics) = RuleTestFile.load(name: name, bytes: try bytes(name))
        for diagnostic in diagnostics { Issue.record("\(diagnostic.rendered())") }
        return try #require(file)
    }

    /// The tests of all files, in the order of the files.
    static func tests() throws -> [RuleTest] { try testFiles.flatMap { try tests($0).tests } }
}
