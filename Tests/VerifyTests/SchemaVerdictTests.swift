import Foundation
import Lane
import Testing

@testable import Verify

/// Our validator against Debian's python3-jsonschema, on messages that are right and on thousands that are spoiled.
@Suite struct SchemaVerdictTests {
    @Test func everyKeywordOfEverySchemaIsUnderstood() throws {
        let files = try Places.schemaFiles()
        #expect(files.count >= 9)
        for file in files {
            let schema = try Schema(parsing: Array(Data(contentsOf: file)))
            let name = file.lastPathComponent.replacingOccurrences(of: ".schema.json", with: "")
            #expect(schema.id == "urn:lanewatch:schema:sco.\(name)")
        }
        #expect(try Schemas().ids.count == files.count)
    }

    @Test(arguments: [
        (##"{"$ref": "#/x"}"##, "$ref"),
        (#"{"properties": {"a": {"multipleOf": 2}}}"#, "#/properties/a: the keyword multipleOf"),
        (#"{"type": "text"}"#, "#/type"), (#"{"pattern": "("}"#, "#/pattern"), (#"{"format": "email"}"#, "#/format"),
        (#"{"maxItems": -1}"#, "#/maxItems"), (#"{"allOf": [1]}"#, "#/allOf/0"), ("[", "no JSON at byte 1"),
    ]) func whatIsNotUnderstoodIsRefused(text: String, says: String) {
        #expect {
            try Schema(parsing: Array(text.utf8))
        } throws: { "\($0)".contains(says) }
    }

    @Test func verdictsAreThoseOfAPublicValidator() throws {
        var random = SeededGenerator(seed: 2026)
        var cases: [(schema: String, text: String, ours: String?)] = []
        var known: [String: Schema] = [:]
        for file in try Places.schemaFiles() {
            let bytes = Array(try Data(contentsOf: file))
            let schema = try Schema(parsing: bytes)
            known[schema.id] = schema
            let value = try JSONValue(parsing: bytes)
            for _ in 0..<40 {
                let right = Made.value(value, &random)
                cases.append((schema.id, right.written, schema.fault(of: right)))
                for _ in 0..<20 {
                    let spoiled = Made.spoiled(right, &random)
                    cases.append((schema.id, spoiled.written, schema.fault(of: spoiled)))
                }
            }
        }
        let theirs = try Self.judge(cases.map { ($0.schema, $0.text) })
        try #require(theirs.count == cases.count)
        var valid = 0
        for (one, verdict) in zip(cases, theirs) {
            #expect((one.ours == nil) == verdict, "\(one.schema): ours says \(one.ours ?? "valid"): \(one.text)")
            if verdict { valid += 1 }
        }
        // Both verdicts are really tried.
        #expect(valid > cases.count / 20 && valid < cases.count * 9 / 10, "\(valid) of \(cases.count) valid")
        print("schemas: \(cases.count) messages, \(valid) valid, verdicts equal")
    }

    /// Keywords that our schemas hardly use, or do not yet.
    @Test func everyKeywordJudgesAsThePublicValidatorDoes() throws {
        let schemas = [
            #"{"type":["integer","null"],"minimum":0,"maximum":10}"#, #"{"type":"number","maximum":2.5}"#,
            #"{"enum":[1,"a",null,{"b":[1]}]}"#, #"{"const":{"a":1,"b":2}}"#, #"{"minLength":2,"maxLength":3}"#,
            #"{"minItems":1,"maxItems":2,"items":{"type":"integer"}}"#, #"{"anyOf":[{"type":"string"},{"minimum":5}]}"#,
            #"{"not":{"required":["a"]}}"#,
            #"{"if":{"required":["a"]},"then":{"required":["b"]},"else":{"required":["c"]}}"#,
            #"{"properties":{"a":false,"b":true},"additionalProperties":{"type":"integer"}}"#,
            #"{"minProperties":1,"maxProperties":1}"#, #"{"pattern":"^[a-c]+$"}"#, #"{"pattern":"b"}"#,
            #"{"format":"date-time"}"#,
            #"{"allOf":[{"required":["a"]},{"properties":{"a":{"const":1}}}]}"#, "true", "false", "{}",
        ]
        let values = [
            "null", "true", "false", "0", "1", "1.0", "2.5", "3", "10", "11", "-1", "\"\"", "\"a\"", "\"ab\"",
            "\"abc\"",
            "\"äöü\"", "\"abcd\"", "\"xbx\"", "[]", "[1]", "[1,2]", "[1,2,3]", "[\"a\"]", "{}", #"{"a":1}"#,
            #"{"a":1.0,"b":2}"#, #"{"b":2,"a":1}"#, #"{"b":[1]}"#, #"{"c":1}"#, #"{"c":"x"}"#, #"{"a":2}"#,
            "\"2026-11-21T08:14:03.120Z\"", "\"2026-02-30T08:14:03Z\"", "\"2026-11-21\"",
            "\"2026-11-21T08:14:03+01:00\"",
        ]
        var cases: [(String, String)] = []
        var ours: [Bool] = []
        for schema in schemas {
            let compiled = try Schema(parsing: Array(schema.utf8))
            for value in values {
                cases.append((schema, value))
                ours.append(compiled.fault(of: try JSONValue(parsing: value)) == nil)
            }
        }
        let theirs = try Self.judge(cases)
        for (one, (mine, other)) in zip(cases, zip(ours, theirs)) { #expect(mine == other, "\(one)") }
        #expect(theirs.count == cases.count)
    }

    @Test func aFaultNamesThePlaceAndNotTheValue() throws {
        let schema = try #require(try Schemas()["urn:lanewatch:schema:sco.lane.state.v1"])
        let secret = "4111111111111111"
        for text in [
            "{\"store\": \(secret)}", "{\"open\": [{\"severity\": \"\(secret)\"}]}",
            "{\"devices\": {\"\(secret)\": 1}}",
        ] {
            let fault = try #require(schema.fault(of: try JSONValue(parsing: text)))
            #expect(!fault.contains(secret), "\(fault)")
        }
        var value = try JSONValue(
            parsing: #"{"store":"1","lane":"2","at":"2026-11-21T08:14:03Z","open":[],"devices":{},"#
                + #""rules":"sha256:\#(String(repeating: "a", count: 64))","version":"1"}"#)
        #expect(schema.fault(of: value) == nil)
        guard case .object(var members) = value else { return }
        members[3].value = .array([.object([])])
        value = .object(members)
        #expect(schema.fault(of: value) == "open[0] has no intervention")
    }

    /// The verdict of python3-jsonschema on each pair of a schema, by id or as text, and a value.
    static func judge(_ cases: [(schema: String, value: String)]) throws -> [Bool] {
        let program = #"""
            import datetime, json, re, sys, jsonschema
            checker = jsonschema.FormatChecker(formats=[])
            form = re.compile(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$")
            @checker.checks("date-time", raises=ValueError)
            def is_time(value):
                if not isinstance(value, str):
                    return True
                if not form.match(value):
                    return False
                datetime.datetime.strptime(value[:19].upper().replace(" ", "T"), "%Y-%m-%dT%H:%M:%S")
                return True
            known = {}
            def schema_of(text):
                if text.startswith("urn:"):
                    name = text.removeprefix("urn:lanewatch:schema:sco.")
                    return json.load(open(f"{sys.argv[1]}/{name}.schema.json"))
                return json.loads(text)
            for line in sys.stdin:
                schema, value = line.rstrip("\n").split("\t")
                if schema not in known:
                    known[schema] = jsonschema.Draft202012Validator(schema_of(schema), format_checker=checker)
                print("1" if known[schema].is_valid(json.loads(value)) else "0")
            """#
        let input = FileManager.default.temporaryDirectory.appending(path: "lanewatch-cases-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: input) }
        try Data(cases.map { "\($0.schema)\t\($0.value)\n" }.joined().utf8).write(to: input)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", program, Places.reference.path]
        process.standardInput = try FileHandle(forReadingFrom: input)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let bytes = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return bytes.split(separator: 10).map { $0.first == UInt8(ascii: "1") }
    }
}
