import Glibc
import Lane
import Rules

/// `lanewatch test` on a hundred tests of ten minutes each, with the shipped rules.
enum ScenarioBenchmark {
    private static let files = 4
    private static let perFile = 25
    private static let customers = 20

    static func run(_ program: String, rules: String, _ targets: inout Targets) throws {
        let folder = Folder()
        folder.expect("out")
        guard let resolved = realpath(rules, nil) else {
            print("benchmark: there is no \(rules)")
            return
        }
        defer { free(resolved) }
        var words = [program, "test"]
        var signals = 0
        var texts: [String] = []
        for file in 0..<files {
            let text = tests(from: file * perFile, String(cString: resolved), &signals)
            texts.append(text)
            try folder.write("\(file).test.yaml", text)
            words.append("\(folder.path)/\(file).test.yaml")
        }
        if let set = BenchmarkRules.shipped(rules) { inside(texts, set) }
        var seconds = Samples()
        for _ in 0..<5 {
            guard let run = ProgramRun(words, output: folder.path + "/out"), run.code == 0 else {
                print("benchmark: lanewatch test fails:\n" + Text.file(folder.path + "/out").prefix(2000))
                return
            }
            seconds.add(run.seconds)
        }
        let summary = Text.file(folder.path + "/out").split(whereSeparator: \.isNewline).last.map(String.init) ?? ""
        targets.add(
            "a hundred ten-minute tests of the shipped rules in well under 1 s (0.5)",
            "\(round(seconds.median, 2)) s: \(summary), \(signals) signals", seconds.median <= 0.5)
    }

    /// What the command does with them: read them, run them, with notes and without.
    private static func inside(_ texts: [String], _ set: RuleSet) {
        var (read, run, noted) = (Samples(), Samples(), Samples())
        for _ in 0..<5 {
            var begin = ThreadClock.seconds()
            func lap(_ samples: inout Samples) {
                samples.add((ThreadClock.seconds() - begin) * 1e3)
                begin = ThreadClock.seconds()
            }
            var tests: [RuleTest] = []
            for text in texts {
                tests += RuleTestFile.load(name: "bench.test.yaml", bytes: Array(text.utf8)).file?.tests ?? []
            }
            lap(&read)
            var found = 0
            for test in tests { found += test.run(set).found.count }
            lap(&run)
            for test in tests { found += test.run(test.table(set), noting: Noting()).notes.count }
            lap(&noted)
            precondition(tests.count == files * perFile && found > 2 * tests.count)
        }
        var figures = Table(
            "Rules: a hundred tests of ten minutes, by their own time, ms", ["what", "median", "worst"])
        figures.add("read the test files", round(read.median, 1), round(read.quantile(1), 1))
        figures.add("run", round(run.median, 1), round(run.quantile(1), 1))
        figures.add("run with notes (--explain, --coverage)", round(noted.median, 1), round(noted.quantile(1), 1))
        figures.show()
    }

    /// Twenty customers each; the eleventh's payment is not answered until the basket is closed.
    private static func tests(from first: Int, _ rules: String, _ signals: inout Int) -> String {
        var text = "rules: \(rules)\ntests:\n"
        for test in first..<first + perFile {
            text += "  - name: lane \(test)\n    until: 10m\n    given:\n"
            for customer in 0..<customers {
                let begin = customer * 30_000 + test
                func add(_ after: Int, _ signal: String) {
                    text += "      - \(begin + after)ms \(signal)\n"
                    signals += 1
                }
                add(0, "pos.state state=basket_open txn=T\(customer)")
                for item in 0..<3 {
                    let sku = "40063813339\(item)1"
                    add(1000 + item * 4000, "touch x=1 y=1")
                    add(1500 + item * 4000, "scan.read code=\(sku) sym=EAN-13 check=ok")
                    add(1800 + item * 4000, "item.accepted sku=\(sku) txn=T\(customer) price=349")
                    add(2000 + item * 4000, "screen.changed screen=basket")
                    add(3000 + item * 4000, "scale.stable grams=512")
                }
                add(14_000, "pos.state state=payment txn=T\(customer)")
                add(15_000, "payment.started pay=P\(customer) txn=T\(customer) amount=1047")
                if customer != 10 {
                    add(20_000, "payment.approved pay=P\(customer) txn=T\(customer)")
                    add(20_500, "payment.booked pay=P\(customer) txn=T\(customer)")
                }
                add(25_000, "pos.state state=idle txn=T\(customer)")
            }
            text += """
                    expect:
                      - \(360_000 + test)ms raise payment-timeout pay=P10 warning
                      - \(385_000 + test)ms clear payment-timeout pay=P10

                """
        }
        return text
    }
}
