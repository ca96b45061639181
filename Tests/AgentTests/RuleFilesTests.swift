import Foundation
import Lane
import Testing

@testable import Agent

/// Files and folders of rules, as every command and the agent read them.
@Suite struct RuleFilesTests {
    final class Folder: Sendable {
        let path: String
        init(_ files: [String: String]) throws {
            path = FileManager.default.temporaryDirectory.appending(path: "rules-\(UUID().uuidString)").path
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for (name, text) in files { try Data(text.utf8).write(to: URL(filePath: path).appending(path: name)) }
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        /// What is said of the files, with the folder's own name taken out.
        func said(_ paths: String..., at wall: WallInstant? = nil) -> String {
            RuleFiles.load(paths.map { path + $0 }, at: wall).diagnostics.map { $0.rendered() }.joined()
                .replacing(path, with: "DIR")
        }
    }

    static func rule(_ id: String) -> String {
        "format: 1\nrules: [{id: \(id), on: touch, severity: info, clear_after: 1m, topic: t.\(id)}]\n"
    }

    @Test func aFolderStandsForItsRuleFilesInByteOrder() throws {
        let names = ["10-b.yaml", "9.yaml", "B.yaml", "a.yaml", "ä.yaml", "Z.yaml"]
        var files: [String: String] = [:]
        for (number, name) in names.enumerated() { files[name] = Self.rule("r\(number)") }
        for name in ["a.test.yaml", ".hidden.yaml", "signals.yaml", "notes.txt", "a.yaml.bak", "a.yml"] {
            files[name] = "no rule file"
        }
        let folder = try Folder(files)
        // A folder in it, whatever its name, is not walked into.
        try FileManager.default.createDirectory(atPath: folder.path + "/c.yaml", withIntermediateDirectories: true)
        try Data(Self.rule("deep").utf8).write(to: URL(filePath: folder.path + "/c.yaml/deep.yaml"))
        for path in [folder.path, folder.path + "/"] {
            let (rules, diagnostics) = RuleFiles.load([path])
            #expect(diagnostics.isEmpty)
            let found = try #require(rules).files.map { $0.name.dropFirst(folder.path.count + 1) }
            #expect(found == ["10-b.yaml", "9.yaml", "B.yaml", "Z.yaml", "a.yaml", "ä.yaml"])
        }
    }

    @Test func aFolderAndItsFilesOneByOneAreTheSameSet() throws {
        let folder = try Folder(["10.yaml": Self.rule("a"), "20.yaml": Self.rule("b")])
        let whole = try #require(RuleFiles.load([folder.path]).rules)
        let named = try #require(RuleFiles.load([folder.path + "/10.yaml", folder.path + "/20.yaml"]).rules)
        #expect(whole.set.digest == named.set.digest)
        #expect(whole.set.rules == named.set.rules)
    }

    @Test func aFolderWithoutRulesIsAnError() throws {
        let folder = try Folder(["a.test.yaml": "tests: []\n"])
        #expect(RuleFiles.load([folder.path]).rules == nil)
        #expect(
            folder.said("") == """
                DIR: error: this folder holds no rule files
                      = help: rule files end in .yaml; hidden files, *.test.yaml, signals.yaml and folders in it are not read

                """)
    }

    @Test func aLinkThatLeadsNowhereIsToldAndAPipeIsNotWaitedFor() throws {
        let folder = try Folder(["a.yaml": Self.rule("a")])
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/b.yaml", withDestinationPath: "gone")
        #expect(mkfifo(folder.path + "/c.yaml", 0o600) == 0)
        #expect(folder.said("") == "DIR/b.yaml: error: cannot be read: No such file or directory\n")
        #expect(folder.said("/a.yaml", "/none") == "DIR/none: error: cannot be read: No such file or directory\n")
    }

    @Test func aFileIsNamedOnce() throws {
        let folder = try Folder(["a.yaml": Self.rule("a")])
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/z.yaml", withDestinationPath: "a.yaml")
        #expect(
            folder.said("/a.yaml", "/a.yaml") == """
                DIR/a.yaml: error: this file is named twice
                      = help: name it once, by itself or by its folder

                """)
        #expect(folder.said("").hasPrefix("DIR/z.yaml: error: this file is named twice, also as DIR/a.yaml\n"))
    }

    @Test func filesOfASetHaveALimitTogether() throws {
        let half = "format: 1\n#" + String(repeating: "x", count: RuleFiles.limit / 2) + "\n"
        let folder = try Folder(["a.yaml": half, "b.yaml": half])
        #expect(
            folder.said("")
                == "DIR/b.yaml: error: with this file the rules have more than 16 MiB together, the most of a set\n")
    }

    /// A name twice is told where it stands the second time, and where the first.
    @Test func aLaterFileOfAFolderMayOnlyAdd() throws {
        let folder = try Folder(["10.yaml": Self.rule("a"), "20.yaml": Self.rule("a")])
        #expect(
            folder.said("") == """
                DIR/20.yaml:2:14: error: rule "a" is already declared in DIR/10.yaml, line 2
                    2 | rules: [{id: a, on: touch, severity: info, clear_after: 1m, topic: t.a}]
                      |              ^
                      = help: a later file may only add; other numbers for some lanes go under lanes:

                """)
    }

    @Test(arguments: [
        ("rules.d", "rules.d"), ("./rules.d/", "rules.d"), ("a/./b//c.yaml", "a/b/c.yaml"), ("/", "/"), (".", "."),
        ("./", "."), ("/etc/./rules.d/.", "/etc/rules.d"), ("../x.yaml", "../x.yaml"), ("", ""),
    ])
    func pathsAreShownAsPeopleWriteThem(_ path: String, _ shown: String) {
        #expect(RuleFolder.tidied(path) == shown)
    }

    /// Where rules must be signed, no file of a folder is taken: only a bundle carries a signature.
    @Test func aLaneOfSignedRulesTakesNoFolder() throws {
        let folder = try Folder(["10.yaml": Self.rule("a"), "20.yaml": Self.rule("b")])
        let trust = RuleTrust(keys: [], isRequired: true)
        let (rules, diagnostics) = RuleFiles.load([folder.path], trust: trust)
        #expect(rules == nil)
        #expect(
            diagnostics.map(\.headline)
                == ["10.yaml", "20.yaml"].map {
                    "\(folder.path)/\($0): error: it is not signed, and this lane takes signed rules only"
                })
        #expect(RuleFiles.read([folder.path], trust: trust).isReadable)
        #expect(!RuleFiles.read([folder.path + "/none.yaml"]).isReadable)
    }

    // MARK: Silences

    static let silence = """
        format: 1
        silences:
          - {rules: [a, b], until: "2026-12-01T06:00:00Z", why: "till is rebuilt"}

        """

    @Test func aFileMayHoldSilencesAlone() throws {
        let folder = try Folder([
            "10.yaml": Self.rule("a"), "20.yaml": Self.rule("b"), "90-silences.yaml": Self.silence,
        ])
        let rules = try #require(RuleFiles.load([folder.path]).rules)
        #expect(rules.set.silences.map(\.rules) == [["a", "b"]])
        #expect(folder.said("") == "")
    }

    /// Only where somebody says what the time is: a test and a replay give the same on every day.
    @Test func aSilenceThatIsOverIsAWarningWhereTheTimeIsKnown() throws {
        let folder = try Folder([
            "10.yaml": Self.rule("a"), "20.yaml": Self.rule("b"), "90-silences.yaml": Self.silence,
        ])
        let end = try #require(WallInstant(rfc3339: "2026-12-01T06:00:00Z"))
        #expect(folder.said("", at: WallInstant(milliseconds: end.milliseconds - 1)) == "")
        #expect(
            folder.said("", at: end) == """
                DIR/90-silences.yaml:3:28: warning: this silence is over: "a", "b" may be raised again
                    3 |   - {rules: [a, b], until: "2026-12-01T06:00:00Z", why: "till is rebuilt"}
                      |                            ^^^^^^^^^^^^^^^^^^^^^^
                      = help: take it out, or give it a later end

                """)
        #expect(RuleFiles.load([folder.path], at: end).rules != nil)
    }

    @Test func silencesByThemselvesNameNoRules() throws {
        let folder = try Folder(["90-silences.yaml": Self.silence])
        #expect(
            folder.said("") == """
                DIR/90-silences.yaml:3:14: error: no rule "a"
                    3 |   - {rules: [a, b], until: "2026-12-01T06:00:00Z", why: "till is rebuilt"}
                      |              ^
                      = help: these files declare no rules; check all files of a set together
                DIR/90-silences.yaml:3:17: error: no rule "b"
                    3 |   - {rules: [a, b], until: "2026-12-01T06:00:00Z", why: "till is rebuilt"}
                      |                 ^
                      = help: these files declare no rules; check all files of a set together

                """)
    }
}
