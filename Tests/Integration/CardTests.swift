import Foundation
import Lane
import Testing

extension Integration {
    /// A card is swiped through a wedge device: of its digits nothing is found anywhere afterwards.
    @Suite(.serialized) struct Card {
        static let track1 = "%B5413330089010442^DOE/JOHN^2512101000000000?"
        static let track2 = ";5413330089010442=25121010000000000000?"
        /// Any eight characters of the number in a row count as a find.
        static let number = "5413330089010442"

        @Test func noDigitIsFoundAnywhere() throws {
            let bed = try Bed()
            bed.command("plug scan1 scanner node=event3 vendor=05e0 product=1200")
            bed.command("plug msr1 msr node=event5 vendor=0801 product=0001")
            let extra = """
                devices:
                  - {role: scanner, usb: "05e0:1200"}
                  - {role: reader, kind: msr, usb: "0801:0001"}
                recording: {path: recording.jsonl}
                """
            let lane = try LaneUnderTest(rules: WholeSystem.rules, extra: extra, bed: bed)
            try lane.start()
            bed.command("opened scan1 5000")
            bed.command("opened msr1 5000")
            bed.command("scan scan1 4006381333931")
            bed.command("swipe scan1 '\(Self.track1)' '\(Self.track2)'")
            bed.command("swipe msr1 '\(Self.track1)' '\(Self.track2)'")
            // Half a second of silence ends a swipe; until then whatever is typed is dropped.
            bed.command("wait 700")
            bed.command("scan scan1 \(Self.number)")
            bed.command("wait 700")
            // A POS application that sends a number is refused, without its number.
            let refused = try lane.send(
                #"{"type":"pos.message","code":"7","text":"card \#(Self.number) read","ack":true}"#)
            #expect(refused.number == nil && refused.error?.contains("looks like card data") == true)
            #expect(refused.error?.contains("5413") == false)
            bed.command("scan scan1 5449000000996")
            let end = Date(timeIntervalSinceNow: 15)
            var swipes = 0.0
            while swipes < 3 && Date() < end {
                swipes = try lane.metric("lanewatch_signals_total", label: "type=\"card.swiped\"")
                usleep(50_000)
            }
            #expect(swipes == 3, "one swipe a device, and a number without sentinels")
            try lane.awaitDrained(seconds: 15)
            usleep(1_500_000)

            // What went through is there: the search would find something.
            let recording = try String(contentsOf: lane.folder.appending(path: "recording.jsonl"), encoding: .utf8)
            #expect(recording.contains("4006381333931") && recording.contains("5449000000996"))
            #expect(recording.contains("card.swiped"))

            for file in ["state/outbox.sqlite", "state/outbox.sqlite-wal", "recording.jsonl"] {
                let data = try Data(contentsOf: lane.folder.appending(path: file))
                #expect(Self.finds(in: data) == [], "\(file)")
            }
            #expect(Self.finds(in: Data(lane.log.joined(separator: "\n").utf8)) == [], "the log")
            for topic in LaneUnderTest.topics {
                let values = try lane.records(topic).compactMap { $0.value?.written }.joined()
                #expect(Self.finds(in: Data(values.utf8)) == [], "\(topic)")
            }
            bed.command("memory agent \(Self.number) window=8", seconds: 120)
            bed.command("memory agent 'DOE/JOHN'", seconds: 120)
            try searchCore(of: lane)
            #expect(bed.command("grab scan1") == "grab 0")
            #expect(bed.command("grab msr1") == "grab 0")
        }

        /// gcore(1) writes what a crash would have written.
        private func searchCore(of lane: LaneUnderTest) throws {
            let gcore = try #require(Places.find("gcore"))
            let number = String(try lane.agentPid())
            let core = lane.folder.appending(path: "core").path
            let (code, output) = try Program.run(gcore, ["-o", core, number], seconds: 120)
            #expect(code == 0, "\(output.suffix(3))")
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(core).\(number)"), options: .mappedIfSafe)
            #expect(data.count > 1 << 20)
            #expect(Self.finds(in: data) == [], "a core dump")
            // The search itself works: a code that was scanned is in memory somewhere, or at least the program's own name.
            #expect(data.range(of: Data("lanewatch".utf8)) != nil)
        }

        /// Every run of eight characters of the number that is in `data`, as ASCII or UTF-16.
        static func finds(in data: Data) -> [String] {
            let characters = Array(number)
            var found: [String] = []
            for start in 0...(characters.count - 8) {
                let part = String(characters[start..<start + 8])
                let wide = part.utf8.flatMap { [UInt8]([$0, 0]) }
                if data.range(of: Data(part.utf8)) != nil { found.append(part) }
                if data.range(of: Data(wide)) != nil { found.append("\(part) in UTF-16") }
            }
            return found
        }
    }
}
