import Foundation
import Rules
import Testing
import YAML

/// The files beside the tests.
enum Golden {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Golden")

    static func bytes(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: folder.appending(path: name))) }
    static func text(_ name: String) throws -> String { String(decoding: try bytes(name), as: UTF8.self) }
}

/// What the checker prints for one file.
func printed(_ text: String, file: String = "x.yaml") -> String {
    RuleFile.load(files: [(name: file, bytes: Array(text.utf8))]).diagnostics.map { $0.rendered() }.joined()
}

@Suite struct CheckGoldenTests {
    @Test(arguments: 1...12)
    func wrongFilePrints(number: Int) throws {
        let name = (number < 10 ? "0" : "") + String(number)
        let (set, diagnostics) = RuleFile.load(files: [(name: name + ".yaml", bytes: try Golden.bytes(name + ".yaml"))])
        #expect(set == nil)
        #expect(diagnostics.map { $0.rendered() }.joined() == (try Golden.text(name + ".expected")))
    }

    @Test func theExampleHasNoFault() throws {
        let (set, diagnostics) = RuleFile.load(files: [(name: "example.yaml", bytes: try Golden.bytes("example.yaml"))])
        #expect(diagnostics.map { $0.rendered() }.joined() == "")
        #expect(set?.rules.count == 15)
    }
}
