import FaultParts
import Foundation

/// What the harness was asked for.
struct Settings: Sendable {
    var lanewatch = ""
    var rows: [String] = []
    var times: Int?
    var minutes: Double?
    var tally: String?
    var seed = UInt64.random(in: 0...UInt64(UInt32.max))
    var hasSeed = false
    /// Signals a second.
    var rate = 250
    /// The longest cut of the path, in seconds.
    var longest = 300.0
    /// Whether each log is read into PostgreSQL too.
    var asksPostgreSQL = true
    var isKept = false
    var isListed = false

    static let help = """
        Runs the agent against three real Kafka brokers, does it harm, and compares what it answered with what arrived.

        usage: faults --lanewatch FILE [--rows "NAME …"] [--times N] [--minutes M] [--tally FILE] [--seed S]
                      [--rate N] [--longest SECONDS] [--no-postgres] [--keep] [--list]

          --lanewatch  the agent's program
          --rows       only these, or those whose name begins so ("kill mock-"); all where it is left out
          --times      runs of each row; without it 20, or 3 where the fault lasts longer than 10 s
          --minutes    begin no run after so many minutes
          --tally      a file that keeps what was run: a series that was broken off goes on with it
          --seed       of the first run; each has a seed of its own, printed with it
          --rate       signals a second (250)
          --longest    the longest cut of the path in seconds (300)
          --no-postgres  do not read the logs into PostgreSQL by examples/consumer
          --keep       keep the folder of every run, not only of those that failed
          --list       print the rows and how often each runs

        KAFKA_HOME names a folder with the libs/ of an Apache Kafka, 3.9 or 4.
        """

    init(_ words: [String]) throws {
        var left = words[...]
        func number<T: LosslessStringConvertible>(_ name: String) throws -> T {
            guard let word = left.popFirst(), let value = T(word) else { throw Fault("\(name) needs a number") }
            return value
        }
        func text(_ name: String) throws -> String {
            guard let word = left.popFirst(), !word.isEmpty else { throw Fault("\(name) needs a value") }
            return word
        }
        while let word = left.popFirst() {
            switch word {
            case "--lanewatch": lanewatch = try text(word)
            case "--rows": rows = try text(word).split { $0 == " " || $0 == "," }.map(String.init)
            case "--times": times = max(1, try number(word))
            case "--minutes": minutes = try number(word)
            case "--tally": tally = try text(word)
            case "--seed":
                seed = try number(word)
                hasSeed = true
            case "--rate": rate = min(400, max(10, try number(word)))
            case "--longest": longest = max(11, try number(word))
            case "--no-postgres": asksPostgreSQL = false
            case "--keep": isKept = true
            case "--list": isListed = true
            default: throw Fault("no option \(word)\n\n\(Self.help)")
            }
        }
        for name in rows where !Row.all.contains(where: { $0.name.hasPrefix(name) }) {
            throw Fault("no row begins with \(name); they are: \(Row.all.map(\.name).joined(separator: " "))")
        }
    }

    /// The rows that are asked for, and how often each.
    var wanted: [(row: Row, times: Int)] {
        Row.all.filter { row in rows.isEmpty || rows.contains { row.name.hasPrefix($0) } }
            .map { ($0, times ?? $0.times) }
    }
}
