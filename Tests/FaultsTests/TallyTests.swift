import FaultParts
import Foundation
import Testing

struct TallyTests {
    private let path = NSTemporaryDirectory() + "lanewatch-tally-\(UUID().uuidString)"

    private func entry(_ row: String, _ seed: UInt64 = 1) -> Entry {
        Entry(row: row, seed: seed, at: Date(timeIntervalSince1970: 1_795_000_000), isGood: true, verdict: Verdict())
    }

    @Test func aSeriesIsTakenUpAgain() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var tally = try Tally(path: path)
        try tally.add(entry("a", 1))
        try tally.add(entry("b", 2))
        try tally.add(entry("a", 3))
        let again = try Tally(path: path)
        #expect(again.entries == tally.entries)
        #expect(again.runs(of: "a") == 2 && again.runs(of: "b") == 1 && again.runs(of: "c") == 0)
    }

    @Test func theRowLeastRunComesNext() throws {
        var tally = try Tally(path: nil)
        var chance = Chance(seed: 1)
        let wanted = [(row: "a", times: 2), (row: "b", times: 2), (row: "c", times: 1)]
        var order: [String] = []
        while let row = tally.next(wanted, &chance) {
            order.append(row)
            try tally.add(entry(row))
        }
        #expect(order.count == 5)
        #expect(Set(order.prefix(3)) == ["a", "b", "c"] && Set(order.suffix(2)) == ["a", "b"])
    }

    @Test func aLineThatWasCutIsRunAgain() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var tally = try Tally(path: path)
        try tally.add(entry("a"))
        var text = try String(contentsOfFile: path, encoding: .utf8)
        text += "{\"row\":\"b\",\"se"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        var again = try Tally(path: path)
        #expect(again.entries.map(\.row) == ["a"])
        try again.add(entry("c"))
        #expect(try Tally(path: path).entries.map(\.row) == ["a", "c"])
    }

    @Test func anotherFileIsNotTakenForATally() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        try "not a tally\nat all\n".write(toFile: path, atomically: true, encoding: .utf8)
        let fault = #expect(throws: Fault.self) { try Tally(path: path) }
        #expect(fault?.description.contains(":1:") == true)
    }

    @Test func aSeedRepeatsItsNumbers() {
        var (one, two, other) = (Chance(seed: 7), Chance(seed: 7), Chance(seed: 8))
        let numbers = (0..<20).map { _ in one.next() }
        #expect(numbers == (0..<20).map { _ in two.next() })
        #expect(numbers != (0..<20).map { _ in other.next() })
    }
}
