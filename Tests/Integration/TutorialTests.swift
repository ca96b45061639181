import Foundation
import Testing

extension Integration {
    /// The tutorial does what it says, block by block.
    @Suite(.serialized) struct Tutorial {
        /// What a clone holds of that which the tutorial uses.
        private func clone() throws -> URL {
            let folder = try Places.folder()
            for name in ["rules", "docs/tutorial/recording.jsonl"] {
                let copy = folder.appending(path: name)
                try FileManager.default.createDirectory(
                    at: copy.deletingLastPathComponent(), withIntermediateDirectories: true)
                try FileManager.default.copyItem(at: Places.repository.appending(path: name), to: copy)
            }
            return folder
        }

        @Test func everyBlockOfTheFirstRuleDoesWhatThePageSays() throws {
            let page = Places.repository.appending(path: "docs/tutorial/first-rule.md")
            let walkthrough = Walkthrough(try String(contentsOf: page, encoding: .utf8))
            let commands = walkthrough.steps.filter { if case .command = $0.step { true } else { false } }
            #expect(commands.count >= 10)
            #expect(commands.contains { if case .command(_, 1, _) = $0.step { true } else { false } })
            let folder = try clone()
            defer { try? FileManager.default.removeItem(at: folder) }
            let faults = try walkthrough.walk(in: folder, path: Places.products.path)
            #expect(faults.isEmpty, "\(faults.joined(separator: "\n\n"))")
        }

        static let page = """
            Save this as `a.txt`:

            ```yaml
            one: 1
            ```

            ```sh
            cat a.txt
            ```

            ```text
            one: 1
            ```

            ```sh
            echo one; echo two three; false
            ```

            It ends with exit code 1:

            ```text
            …
            two…
            ```

            ```sh
            true
            ```
            """

        @Test func aPageIsRead() throws {
            let walkthrough = Walkthrough(Self.page)
            #expect(walkthrough.faults == [])
            #expect(
                walkthrough.steps.map(\.step) == [
                    .file(name: "a.txt", text: "one: 1\n"), .command(script: "cat a.txt", code: 0, output: ["one: 1"]),
                    .command(script: "echo one; echo two three; false", code: 1, output: ["…", "two…"]),
                    .command(script: "true", code: 0, output: []),
                ])
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            #expect(try walkthrough.walk(in: folder, path: "/bin") == [])
        }

        /// A test of pages that lets a wrong page pass would be none.
        @Test(arguments: [
            ("cat a.txt", "cat b.txt"), ("one: 1\n```\n\n```sh\necho", "one: 2\n```\n\n```sh\necho"),
            ("code 1", "code 2"),
            ("two…", "three…"), ("true", "echo more"), ("Save this as `a.txt`:", "And this:"),
            ("```sh\ntrue", "```\ntrue"),
        ]) func aWrongPageIsTold(_ right: String, _ wrong: String) throws {
            let folder = try Places.folder()
            defer { try? FileManager.default.removeItem(at: folder) }
            let page = Self.page.replacing(right, with: wrong)
            #expect(page != Self.page)
            #expect(try !Walkthrough(page).walk(in: folder, path: "/bin").isEmpty)
        }
    }
}
