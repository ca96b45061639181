import Foundation
import Lane
import Testing

@testable import Verify

/// The contract with consumers: each message that the code can make has a schema, is named by the documents, and changes only
/// as docs/reference/schemas.md allows.
@Suite struct ContractTests {
    // MARK: Versions

    /// The schemas of the last release. `make release-schemas` writes them, when a version goes out.
    private static let released = Places.reference.appending(path: "released.json")

    private func current() throws -> [String: JSONValue] {
        var found: [String: JSONValue] = [:]
        for file in try Places.schemaFiles() {
            let value = try JSONValue(parsing: Array(Data(contentsOf: file)))
            found[try #require(value["$id"]?.text)] = value
        }
        return found
    }

    @Test func noSchemaChangedInAWayThatBreaksConsumers() throws {
        let current = try current()
        if ProcessInfo.processInfo.environment["LANEWATCH_RELEASE"] != nil {
            var text = "{\n"
            for (place, id) in current.keys.sorted().enumerated() {
                text += (place > 0 ? ",\n" : "") + "\"\(id)\": " + (SchemaChange.bare(current[id])?.written ?? "")
            }
            try (text + "\n}\n").write(to: Self.released, atomically: true, encoding: .utf8)
        }
        let released = try JSONValue(parsing: Array(Data(contentsOf: Self.released))).members ?? []
        #expect(released.count >= 9)
        for old in released {
            guard let new = current[old.name] else {
                Issue.record("\(old.name): a released schema was removed or renamed")
                continue
            }
            let faults = SchemaChange.faults(from: old.value, to: new)
            #expect(faults == [], "\(old.name): make a .v2 instead (docs/reference/schemas.md)")
        }
    }

    /// Every change that breaks something, at every place of every released schema, is refused.
    @Test func eachBreakingChangeIsRefused() throws {
        var tried: [String: Int] = [:]
        for old in try JSONValue(parsing: Array(Data(contentsOf: Self.released))).members ?? [] {
            for (name, new) in Mutation.breaking(old.value) {
                tried[name, default: 0] += 1
                #expect(SchemaChange.faults(from: old.value, to: new) != [], "\(old.name): \(name)")
            }
        }
        // Each kind was tried; most of them often.
        #expect(tried.count == Mutation.kinds, "\(tried)")
        print("contract: \(tried.values.reduce(0, +)) breaking changes of \(tried.count) kinds refused")
    }

    @Test func whatConsumersDoNotNoticeIsAllowed() throws {
        for old in try JSONValue(parsing: Array(Data(contentsOf: Self.released))).members ?? [] {
            for (name, new) in Mutation.allowed(old.value) {
                #expect(SchemaChange.faults(from: old.value, to: new) == [], "\(old.name): \(name)")
            }
        }
    }

    // MARK: Every type

    /// `ce_type`s in the text of the sources.
    private func typesInCode() throws -> Set<String> {
        var types: Set<String> = []
        let sources = Places.repository.appending(path: "Sources")
        for case let name as String in FileManager.default.enumerator(atPath: sources.path) ?? .init()
        where name.hasSuffix(".swift") && !name.hasPrefix("Verify/") && !name.hasPrefix("LaneTesting/") {
            let text = try String(contentsOf: sources.appending(path: name), encoding: .utf8)
            for match in text.matches(of: #/"(sco\.[a-z.-]+\.v[0-9]+)"/#) { types.insert(String(match.1)) }
        }
        return types
    }

    @Test func everyTypeThatTheCodeMakesHasASchema() throws {
        let types = try typesInCode()
        #expect(types.count >= 11)
        let schemas = try Schemas()
        for type in types { #expect(schemas[Schemas.id(ofType: type)] != nil, "\(type) has no schema") }
        #expect(Set(types.map { Schemas.id(ofType: $0) }) == Set(schemas.ids), "a schema is of no message")
        let page = try String(contentsOf: Places.reference.appending(path: "topics.md"), encoding: .utf8)
        for type in types {
            // `.updated.v1` behind a whole name stands for the rest.
            let short = "`." + type.split(separator: ".").dropFirst(2).joined(separator: ".") + "`"
            #expect(page.contains(type) || page.contains(short), "topics.md does not name \(type)")
        }
    }

    /// The AsyncAPI document by another's YAML: its form, its references, and that it leaves nothing out.
    @Test func theAsyncAPIDocumentIsWhole() throws {
        let program = #"""
            import json, os, sys, yaml, jsonschema
            folder = sys.argv[1]
            document = yaml.safe_load(open(f"{folder}/asyncapi.yaml"))
            def at(reference, base=document):
                assert reference.startswith("#/"), reference
                for part in reference[2:].split("/"):
                    base = base[part]
                return base
            assert set(document) <= {"asyncapi", "id", "info", "servers", "defaultContentType", "channels", "operations", "components"}
            assert document["asyncapi"] == "3.0.0"
            assert document["info"]["title"] and document["info"]["version"]
            used = set()
            for name, channel in document["channels"].items():
                assert set(channel) <= {"address", "title", "summary", "description", "messages", "servers", "parameters", "bindings"}, name
                assert channel["address"].startswith("sco."), name
                for key, message in channel["messages"].items():
                    assert set(message) == {"$ref"}, key
                    assert at(message["$ref"]) is document["components"]["messages"][key]
                    used.add(key)
            sent = set()
            for name, operation in document["operations"].items():
                assert operation["action"] in ("send", "receive"), name
                sent.add(operation["channel"]["$ref"].removeprefix("#/channels/"))
                at(operation["channel"]["$ref"])
            assert sent == set(document["channels"]), sent
            assert used == set(document["components"]["messages"]), used ^ set(document["components"]["messages"])
            files = set()
            for name, message in document["components"]["messages"].items():
                headers = at(message["headers"]["$ref"])
                jsonschema.Draft7Validator.check_schema(headers)
                assert set(headers["required"]) <= set(headers["properties"])
                payload = message["payload"]
                assert payload["schemaFormat"] == "application/schema+json;version=draft-2020-12", name
                path = payload["schema"]["$ref"]
                assert path.startswith("./") and path.endswith(".schema.json"), path
                schema = json.load(open(f"{folder}/{path}"))
                assert schema["$id"] == "urn:lanewatch:schema:sco." + path[2:].removesuffix(".schema.json"), path
                files.add(path[2:])
            for file in sorted(files):
                print(file)
            """#
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", program, Places.reference.path]
        let output = Pipe()
        let error = Pipe()
        process.standardOutput = output
        process.standardError = error
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        let said = String(decoding: error.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\(said)")
        let files = Set(text.split(separator: "\n").map(String.init))
        #expect(files == Set(try Places.schemaFiles().map(\.lastPathComponent)))
    }
}

/// Changes of a schema, made everywhere where they can be made.
enum Mutation {
    /// How many kinds `breaking` makes.
    static let kinds = 13

    static func breaking(_ schema: JSONValue) -> [(String, JSONValue)] {
        var out: [(String, JSONValue)] = []
        func add(_ name: String, _ change: @escaping (JSONValue) -> JSONValue?) {
            for new in everywhere(schema, change) { out.append((name, new)) }
        }
        add("another id") { $0["$id"] == nil ? nil : $0.setting("$id", .string("urn:other")) }
        add("retyped") { $0["type"]?.text == "string" ? $0.setting("type", .string("integer")) : nil }
        add("may be null too") { value in
            value["type"]?.text.map { value.setting("type", .array([.string($0), .string("null")])) }
        }
        add("never null any more") { $0["type"]?.elements?.first.map($0.setting("type")) }
        add("type left out") { $0["type"] == nil ? nil : $0.setting("type", nil) }
        add("property removed") { value in
            guard let members = value["properties"]?.members, let first = members.first else { return nil }
            return value.setting("properties", .object(members.filter { $0.name != first.name }))
        }
        add("made required") { value in
            guard value["properties"] != nil else { return nil }
            return value.setting("required", .array((value["required"]?.elements ?? []) + [.string("new")]))
        }
        add("no longer required") { value in
            guard let names = value["required"]?.elements, !names.isEmpty else { return nil }
            return value.setting("required", .array(Array(names.dropLast())))
        }
        add("value removed") { value in
            guard let list = value["enum"]?.elements else { return nil }
            return value.setting("enum", .array(Array(list.dropFirst())))
        }
        add("another pattern") { $0["pattern"] == nil ? nil : $0.setting("pattern", .string("^x")) }
        add("another bound") { $0["minimum"]?.int.map { .int($0 + 1) }.map($0.setting("minimum")) }
        add("a format left out") { $0["format"] == nil ? nil : $0.setting("format", nil) }
        add("closed") { $0["properties"] == nil ? nil : $0.setting("additionalProperties", .bool(false)) }
        return out
    }

    static func allowed(_ schema: JSONValue) -> [(String, JSONValue)] {
        var out: [(String, JSONValue)] = [("nothing", schema)]
        func add(_ name: String, _ change: @escaping (JSONValue) -> JSONValue?) {
            for new in everywhere(schema, change) { out.append((name, new)) }
        }
        add("described") { $0.setting("description", .string("in other words")) }
        add("a property more") { value in
            guard let members = value["properties"]?.members else { return nil }
            let new = JSONValue.Member("new", .object([.init("type", .string("string"))]))
            return value.setting("properties", .object(members + [new]))
        }
        add("a value more") { value in
            guard let list = value["enum"]?.elements else { return nil }
            return value.setting("enum", .array(list + [.string("new")]))
        }
        return out
    }

    /// `schema` with `change` made at each place where it can be, one at a time.
    private static func everywhere(_ schema: JSONValue, _ change: (JSONValue) -> JSONValue?) -> [JSONValue] {
        var out: [JSONValue] = []
        if let new = change(schema) { out.append(new) }
        for member in schema["properties"]?.members ?? [] {
            for new in everywhere(member.value, change) {
                out.append(schema.setting("properties", schema["properties"]?.setting(member.name, new)))
            }
        }
        for keyword in ["items", "additionalProperties"] {
            guard let part = schema[keyword], part.members != nil else { continue }
            for new in everywhere(part, change) { out.append(schema.setting(keyword, new)) }
        }
        return out
    }
}

extension JSONValue {
    /// This object with `name` set to `value`, in its place; without it where `value` is nil.
    func setting(_ name: String, _ value: JSONValue?) -> JSONValue {
        guard case .object(var members) = self else { return self }
        let place = members.firstIndex { $0.name == name }
        switch (place, value) {
        case (let place?, let value?): members[place].value = value
        case (let place?, nil): members.remove(at: place)
        case (nil, let value?): members.append(.init(name, value))
        case (nil, nil): break
        }
        return .object(members)
    }

    func setting(_ name: String) -> (JSONValue) -> JSONValue { { self.setting(name, $0) } }
}
