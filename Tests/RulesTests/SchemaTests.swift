import Foundation
import Lane
import Testing
import YAML

@testable import Rules

/// The JSON Schemas that editors check rule and test files by, against a public validator (python3-jsonschema).
@Suite(.serialized) struct SchemaTests {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    enum Schema: String { case rules, tests }

    struct Case {
        var schema: Schema
        var name: String
        var text: String
    }

    // MARK: The validator

    private static let script = """
        import json, sys
        import jsonschema
        asked = json.load(sys.stdin)
        validators = {}
        for name, schema in asked["schemas"].items():
            jsonschema.Draft202012Validator.check_schema(schema)
            validators[name] = jsonschema.Draft202012Validator(schema)
        answers = []
        for case in asked["cases"]:
            fault = jsonschema.exceptions.best_match(validators[case["schema"]].iter_errors(case["instance"]))
            answers.append(None if fault is None else fault.json_path + ": " + fault.message)
        json.dump(answers, sys.stdout)
        """

    struct NoAnswer: Error {}

    /// What the validator says of each case: nil where it is valid.
    static func faults(_ cases: [Case]) throws -> [String?] {
        func schema(_ schema: Schema) throws -> Any {
            let url = repository.appending(path: "docs/reference/\(schema.rawValue).schema.json")
            return try JSONSerialization.jsonObject(with: try Data(contentsOf: url))
        }
        let instances = try cases.map { one -> [String: Any] in
            let document = YAMLDocument(file: one.name, bytes: Array(one.text.utf8))
            return [
                "schema": one.schema.rawValue, "instance": json(of: try #require(document.root, "\(one.name)")),
            ]
        }
        let asked = try JSONSerialization.data(withJSONObject: [
            "schemas": ["rules": try schema(.rules), "tests": try schema(.tests)], "cases": instances,
        ])
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", script]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: asked)
        try input.fileHandleForWriting.close()
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0,
            let answers = try JSONSerialization.jsonObject(with: answer) as? [Any], answers.count == cases.count
        else { throw NoAnswer() }
        return answers.map { $0 as? String }
    }

    /// The file as an editor sees it: YAML 1.2's core schema.
    private static func json(of node: YAMLNode) -> Any {
        switch node.content {
        case .mapping(let pairs):
            return Dictionary(pairs.map { ($0.key, json(of: $0.value)) }, uniquingKeysWith: { first, _ in first })
        case .sequence(let nodes): return nodes.map { json(of: $0) }
        case .refused: return NSNull()
        case .scalar(let scalar):
            if scalar.isNull { return NSNull() }
            if let bool = scalar.bool { return bool }
            if let int = scalar.int { return NSNumber(value: int) }
            return scalar.text
        }
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOf: repository.appending(path: path), encoding: .utf8)
    }

    // MARK: Files that are right

    private static func files(below folder: String, _ suffix: String) throws -> [String] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: repository.appending(path: folder).path)
        return names.filter { $0.hasSuffix(suffix) }.sorted().map { folder + "/" + $0 }
    }

    /// Every shipped file, the examples, and the blocks of the documentation.
    static func rightCases() throws -> [Case] {
        var cases: [Case] = []
        for path in try files(below: "rules", ".yaml")
            + ["example.yaml", "example.test.yaml"].map({
                "Tests/RulesTests/Golden/" + $0
            }) where !path.hasSuffix("signals.yaml")
        {
            let schema: Schema = path.hasSuffix(".test.yaml") ? .tests : .rules
            cases.append(Case(schema: schema, name: path, text: try text(path)))
        }
        for path in try files(below: "docs", ".md") + ["README.md"] {
            for (number, block) in try text(path).components(separatedBy: "```yaml\n").dropFirst().enumerated() {
                let body = block.components(separatedBy: "\n```")[0] + "\n"
                let schema: Schema
                if body.hasPrefix("tests:") {
                    schema = .tests
                } else if body.contains("format: 1\n") && (body.contains("\nrules:\n") || body.contains("\nsilences:"))
                {
                    schema = .rules
                } else {
                    continue
                }
                cases.append(Case(schema: schema, name: "\(path), block \(number + 1)", text: body))
            }
        }
        return cases
    }

    @Test func everyShippedAndDocumentedFileIsValid() throws {
        let cases = try Self.rightCases()
        #expect(cases.count { $0.schema == .rules } >= 4)
        #expect(cases.count { $0.schema == .tests } >= 4)
        for (one, fault) in zip(cases, try Self.faults(cases)) {
            #expect(fault == nil, "\(one.name): \(fault ?? "")")
        }
    }

    /// Whatever the checker accepts an editor accepts: no red line under a rule that works.
    @Test func whatTheCheckerAcceptsIsValid() throws {
        var dice = CheckMutationTests.Dice(state: 7)
        var cases: [Case] = []
        for name in ["example.yaml", "example.test.yaml"] {
            let original = try Golden.bytes(name)
            var left = 150
            for _ in 0..<4000 where left > 0 {
                let bytes = CheckMutationTests.mutated(original, &dice)
                let isTest = name.hasSuffix(".test.yaml")
                let isGood =
                    isTest
                    ? RuleTestFile.load(name: name, bytes: bytes).file != nil
                    : RuleFile.load(files: [(name, bytes)]).ruleSet != nil
                guard isGood, bytes != original, let text = String(validating: bytes, as: UTF8.self) else { continue }
                left -= 1
                cases.append(Case(schema: isTest ? .tests : .rules, name: name, text: text))
            }
        }
        #expect(cases.count > 200)
        for (one, fault) in zip(cases, try Self.faults(cases)) {
            #expect(fault == nil, "\(fault ?? "")\n\(one.text)")
        }
    }

    // MARK: Files that are wrong

    /// Of the wrong files those whose form is wrong are refused. The others name what is not there; 11 is no YAML.
    @Test func wrongFormsAreRefused() throws {
        let numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]
        let cases = try numbers.map { number in
            let name = (number < 10 ? "0" : "") + "\(number).yaml"
            return Case(schema: .rules, name: name, text: try Golden.text(name))
        }
        let refused = zip(numbers, try Self.faults(cases)).filter { $1 != nil }.map(\.0)
        #expect(refused == [1, 2, 3, 4, 5, 9, 12])
    }

    @Test(arguments: [
        ("id: a, severity: info, on: touch", false), ("id: a, severity: info, on: touch, clear_after: 1m", true),
        ("id: a, severity: info, on: touch, unless: keypad, within: 5s", true),
        ("id: a, severity: info, on: touch, unless: keypad, within: 5s, count: 3", false),
        ("id: a, severity: info, on: touch, unless: keypad, within: 5s, count: 3, clear_when: keypad", true),
        ("id: a, severity: info, on: touch, within: 5s, clear_after: 1m", false),
        ("id: a, severity: info, when: s is x", false), ("id: a, severity: info, when: s is x, for: 5s", true),
        ("id: a, severity: info, when: s is x, for: 5s, unless: [touch, keypad]", true),
        ("id: a, severity: info, when: s was x, for: 5s", false),
        ("id: a, severity: info, when: s is x and s is not y, for: 5s", true),
        ("id: a, severity: info, when: s is x, for: 5s, same: code", false),
        ("id: a, severity: info, on: touch, clear_after: 0s", false),
        ("id: a, severity: info, on: touch, clear_after: $wait", true),
        ("id: a, severity: info, on: touch, clear_after: 1m, at: 22:00-06:00", true),
        ("id: a, severity: info, on: touch, clear_after: 1m, at: 'Mon-Fri 22:00-24:00'", true),
        ("id: a, severity: info, on: touch, clear_after: 1m, at: 24:00-06:00", false),
        ("id: a, severity: info, on: touch, clear_after: 1m, enabled: yes", false),
        ("id: a, severity: info, on: touch, clear_after: 1m, mode: live", false),
        ("id: a, severity: info, on: [], clear_after: 1m", false), ("id: a b, severity: info, on: touch", false),
        ("id: a, severity: info, on: touch where, clear_after: 1m", false),
        ("id: a, severity: info, on: scan.read where code = 4, same: [code], clear_after: 1m", true),
        ("id: a, severity: info, on: scan.read, same: cod, clear_after: 1m", false),
        ("id: a, severity: info, on: touch, clear_after: 1m, topic: a/b", false),
        ("id: a, severity: info, on: touch, clear_after: 1m, escalate: {severity: info}", false),
        ("id: a, severity: info, on: touch, clear_after: 1m, escalate: [{after: 1m, topic: sco.x}]", true),
        ("id: 12, severity: info, on: touch, clear_after: 1m, title: 7", true),
    ])
    func formsOfARule(_ rule: String, _ isRight: Bool) throws {
        let text = "format: 1\nrules:\n  - {\(rule)}\n"
        let fault = try #require(try Self.faults([Case(schema: .rules, name: rule, text: text)]).first)
        #expect((fault == nil) == isRight, "\(fault ?? "accepted")")
    }

    // MARK: The same keys as the readers'

    private static func keys(_ schema: Schema, _ path: String...) throws -> Set<String> {
        var value = try JSONValue(
            parsing: Array(
                try Data(contentsOf: repository.appending(path: "docs/reference/\(schema.rawValue).schema.json"))))
        for step in path { value = try #require(value[step], "\(step)") }
        guard case .object(let members) = value else { throw NoAnswer() }
        return Set(members.map(\.name))
    }

    @Test func theKeysAreTheReaders() throws {
        #expect(try Self.keys(.rules, "$defs", "rule", "properties") == Set(RuleReader.keys))
        #expect(try Self.keys(.rules, "properties") == Set(SectionReader.keys))
        #expect(
            try Self.keys(.rules, "properties", "silences", "items", "properties") == Set(SectionReader.silenceKeys))
        #expect(try Self.keys(.rules, "properties", "lanes", "items", "properties") == Set(SectionReader.laneKeys))
        #expect(try Self.keys(.rules, "$defs", "escalation", "properties") == Set(RuleReader.escalationKeys))
        #expect(try Self.keys(.tests, "properties") == Set(RuleTestFile.keys))
        #expect(try Self.keys(.tests, "$defs", "test", "properties") == Set(RuleTestReader.keys))
    }
}

/// The schema's lists of signals and attributes are the catalogue's. `make generate` writes them.
@Suite struct GeneratedSchemaTests {
    @Test func signalsAndAttributesAreTheCatalogues() throws {
        let url = SchemaTests.repository.appending(path: "docs/reference/rules.schema.json")
        let stands = try String(contentsOf: url, encoding: .utf8)
        let catalogue = SignalCatalogue.shipped
        var lists = [catalogue.entries.map(\.name), catalogue.attributeNames]
        var lines = stands.components(separatedBy: "\n")
        for place in lines.indices.dropFirst()
        where lines[place - 1].contains("\"$comment\": \"Made by `make generate`") {
            let names = try #require(lists.isEmpty ? nil : lists.removeFirst())
            lines[place] = "      \"enum\": [" + names.map { "\"\($0)\"" }.joined(separator: ", ") + "]"
        }
        #expect(lists.isEmpty)
        let text = lines.joined(separator: "\n")
        if ProcessInfo.processInfo.environment["LANEWATCH_GENERATE"] != nil {
            try text.write(to: url, atomically: true, encoding: .utf8)
        } else {
            #expect(stands == text, "docs/reference/rules.schema.json lacks a signal; run `make generate`")
        }
    }
}
