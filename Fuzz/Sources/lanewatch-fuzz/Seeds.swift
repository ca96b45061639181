import Glibc
import Lane
import Rules

/// Seeds that nobody can write by hand: snapshots, bundles and recordings of the fixture. The others are files.
enum Seeds {
    static func write(below folder: String) {
        var lot = Steering(Array("seeds".utf8))
        for number in 0..<4 {
            var engine = RuleEngine(table: Fixture.table)
            var signals = LotSignals(Fixture.set)
            var recording: [UInt8] = []
            for _ in 0..<(8 << number) {
                let signal = signals.next(&lot)
                _ = engine.step(signal)
                var json = JSONWriter()
                SignalLine.write(signal, lane: signal.number % 3 == 0 ? "fuel-3" : nil, into: &json)
                recording += json.bytes + [0x0A]
            }
            write(engine.snapshot(), "\(folder)/snapshots/seed-\(number)")
            write(recording, "\(folder)/recordings/seed-\(number)")
        }
        let file = RuleBundle.File(name: "a.yaml", bytes: Array(Fixture.text.utf8.prefix(200)))
        var bundle = RuleBundle(name: "store-rules", version: "2026-11-21", files: [file])
        bundle.signatures = [RuleBundle.Signature(key: "9f86d081884c7d65", bytes: [1, 2, 3])]
        write(bundle.encoded, "\(folder)/bundles/seed")
    }

    private static func write(_ bytes: [UInt8], _ path: String) {
        guard let file = fopen(path, "w") else { return Main.complain("cannot write \(path)\n") }
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
}
