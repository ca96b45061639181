import Lane
import Testing

@testable import Rules

@Suite struct BundleTests {
    static let files = [
        RuleBundle.File(name: "a.yaml", bytes: Array("format: 1\nrules: []\n# \"ä\" \\ \t\u{1}\n".utf8)),
        RuleBundle.File(name: "b.yaml", bytes: []),
    ]

    static var bundle: RuleBundle {
        var bundle = RuleBundle(name: "store", version: "1.2", files: files)
        bundle.signatures = [.init(key: "0123456789abcdef", bytes: Array(0..<64))]
        return bundle
    }

    @Test func aBundleIsReadBackAsItWasWritten() throws {
        #expect(try RuleBundle(decoding: Self.bundle.encoded) == Self.bundle)
    }

    @Test func itsDigestIsThatOfTheFiles() {
        #expect(
            Self.bundle.digest
                == RuleFile.digest(of: [("/etc/x/a.yaml", Self.files[0].bytes), ("b.yaml", [])]))
    }

    @Test func whatIsSignedNamesItAll() {
        let text = String(decoding: Self.bundle.signedText, as: UTF8.self)
        #expect(text == "lanewatch rule bundle 1\nname store\nversion 1.2\ndigest \(Self.bundle.digest)\n")
        // A line break in a name could forge a line.
        #expect(RuleBundle.fault(inName: "a\nversion 9") != nil)
        #expect(RuleBundle.fault(inName: "") != nil && RuleBundle.fault(inName: "ä") != nil)
    }

    @Test(arguments: [
        ("rubbish", "not readable as JSON"), ("{}", "format 1"), (#"{"format":2}"#, "format 1"),
        (#"{"format":1,"name":"a"}"#, "lacks name"),
    ]) func whatIsNoneSaysSo(_ text: String, _ part: String) {
        #expect { try RuleBundle(decoding: Array(text.utf8)) } throws: {
            ($0 as? BundleFault)?.message.contains(part) == true
        }
    }

    @Test func anAlteredOneIsRefused() {
        let text = String(decoding: Self.bundle.encoded, as: UTF8.self)
        func refused(_ altered: String, _ part: String) {
            #expect { try RuleBundle(decoding: Array(altered.utf8)) } throws: {
                ($0 as? BundleFault)?.message.contains(part) == true
            }
        }
        refused(text.replacing("rules: []", with: "rules: [] "), "altered or damaged")
        refused(text.replacing("a.yaml", with: "c.yaml"), "altered or damaged")
        refused(text.replacing("a.yaml", with: "x/a.yaml"), "a name that is none")
        refused(text.replacing("\"store\"", with: "\"st ore\""), "name")
        refused(text.replacing("000102", with: "00010"), "signature")
    }

    /// Any byte changed, any end cut off: an error or the same files, never a trap.
    @Test func damageNeverCrashes() {
        let bytes = Self.bundle.encoded
        for place in bytes.indices {
            for value: UInt8 in [0, 34, 92, 255, bytes[place] ^ 1] {
                var damaged = bytes
                damaged[place] = value
                if let read = try? RuleBundle(decoding: damaged) { #expect(read.digest == Self.bundle.digest) }
            }
            _ = try? RuleBundle(decoding: Array(bytes[..<place]))
        }
    }
}
