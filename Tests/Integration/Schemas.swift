import Foundation
import Lane
import Testing

/// The schemas of docs/reference, asked by a validator that is not ours: Debian's python3-jsonschema.
enum Schemas {
    /// Holds each record's value against the schema that its own header `ce_dataschema` names.
    static func validate(_ records: [Record]) throws {
        let lines = records.compactMap { record -> String? in
            guard let value = record.value else { return nil }
            return record["ce_dataschema"] + "\t" + value.written
        }
        let program = """
            import json, sys, jsonschema
            known, n = {}, 0
            for line in sys.stdin:
                if not line.strip():
                    continue
                urn, text = line.split("\\t", 1)
                if urn not in known:
                    name = urn.removeprefix("urn:lanewatch:schema:sco.")
                    known[urn] = json.load(open(f"{sys.argv[1]}/{name}.schema.json"))
                    assert known[urn]["$id"] == urn, urn
                jsonschema.validate(json.loads(text), known[urn], cls=jsonschema.Draft202012Validator)
                n += 1
            print("valid", n)
            """
        let folder = Places.repository.appending(path: "docs/reference").path
        let (code, output) = try Program.run(
            "/usr/bin/python3", ["-c", program, folder], input: lines.joined(separator: "\n"))
        #expect(code == 0 && output.last == "valid \(records.count)", "\(output.suffix(6))")
    }
}
