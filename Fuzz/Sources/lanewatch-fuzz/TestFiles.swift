import Lane
import Rules

/// Test files, run on the fixture; and each of their lines alone, as `given` lines.
enum TestFiles {
    @Sendable static func run(_ input: [UInt8]) {
        let files = [(name: "a.test.yaml", bytes: input)]
        let (file, diagnostics) = RuleTestFile.load(name: "a.test.yaml", bytes: input)
        WrittenFiles.check(diagnostics, files, isAccepted: file != nil)
        require(
            RuleTestFile.load(name: "a.test.yaml", bytes: input).diagnostics == diagnostics,
            "the same file reads the same")
        for line in input.split(separator: 0x0A).prefix(16) { given(String(decoding: line, as: UTF8.self)) }
        guard let file else { return }
        var reloads: [String: RuleSet] = [:]
        for name in file.reloads { reloads[name] = name.utf8.count % 2 == 0 ? Fixture.edited : Fixture.set }
        for test in file.tests.prefix(8) {
            let outcome = test.run(Fixture.set, reloads: reloads)
            require(
                test.run(Fixture.set, reloads: reloads).found == outcome.found, "a test gives the same lines each time")
            let diff = outcome.diff
            let isWhole =
                diff.filter { !$0.hasPrefix("+ ") }.count == test.expected.count
                && diff.filter { !$0.hasPrefix("- ") }.count == outcome.found.count
            require(isWhole, "a diff holds every line that was expected and every one that was found")
            require(
                outcome.passed == diff.allSatisfy { $0.hasPrefix("  ") }, "a test passes where there is no difference")
        }
    }

    private static func given(_ text: String) {
        do throws(GivenLine.Fault) {
            let line = try GivenLine(parsing: text)
            var written = "\(ResultLine.time(milliseconds: line.after)) \(line.type.name)"
            for attribute in line.attributes {
                let isText = if case .text = attribute.value { true } else { false }
                let value = attribute.value.description
                written += " \(attribute.name.name)=\(isText ? ResultLine.quoted(value) : value)"
            }
            require((try? GivenLine(parsing: written)) == line, "a line written again reads the same: \(written)")
        } catch {
            let whole = 0...text.utf8.count
            require(
                whole.contains(error.range.lowerBound) && whole.contains(error.range.upperBound),
                "a fault lies inside its line")
        }
    }
}
