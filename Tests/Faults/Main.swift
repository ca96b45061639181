import FaultParts
import Foundation
import KafkaBed

/// `make faults`: the fault harness. Never shipped. See docs/how-to/prove-delivery.md.
@main struct Faults {
    nonisolated static func main() async {
        do {
            let words = CommandLine.arguments
            if words.count == 4, words[1] == "hasty" { try await Hasty.run(words[2], words[3]) }
            let settings = try Settings(Array(CommandLine.arguments.dropFirst()))
            if settings.isListed {
                for (row, times) in settings.wanted { say("\(row.name)\t\(times)\t\(row.title)") }
                return
            }
            guard KafkaBed.home != nil else {
                throw Fault("set KAFKA_HOME to a folder with the libs/ of an Apache Kafka, 3.9 or 4")
            }
            guard FileManager.default.isExecutableFile(atPath: settings.lanewatch) else {
                throw Fault("--lanewatch: \(settings.lanewatch) is no program")
            }
            Cleanup.shared.watchForInterrupts()
            var series = try Series(settings)
            let isGood = await series.run()
            await Cleanup.shared.perform()
            exit(isGood ? 0 : 1)
        } catch {
            await Cleanup.shared.perform()
            FileHandle.standardError.write(Data("faults: \(error)\n".utf8))
            exit(2)
        }
    }
}
