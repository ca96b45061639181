import Foundation
import Lane
import Loop
import Net
import Testing

@testable import Telemetry

@Suite struct MetricsTests {
    private let requests = Metric("a_requests_total", .counter, "Requests \\ with\nlines", labels: ["path", "code"])
    private let level = Metric("a_level", .gauge, "The level")
    private let delay = Metric("a_delay_seconds", .histogram([0.1, 1, 2.5]), "The delay", labels: ["way"])

    @LoopActor private static func page(_ metrics: Metrics) -> String {
        String(decoding: metrics.page(), as: UTF8.self)
    }

    @Test func thePageIsAsPrometheusWantsIt() async {
        let metrics = Metrics([requests, level, delay])
        metrics.counter(requests, "/b", "200").add(3)
        metrics.counter(requests, "/a\"\\\n", "200").add()
        metrics.counter(requests, "/b", "200").add()
        metrics.counter(requests, "/b", "200").add(-5)
        let delays = metrics.histogram(delay, "up")
        for value in [0.05, 0.1, 0.11, 2.5, 99] { delays.observe(value) }
        metrics.gauge(level).set(1.5)
        #expect(
            await Self.page(metrics) == #"""
                # HELP a_requests_total Requests \\ with\nlines
                # TYPE a_requests_total counter
                a_requests_total{path="/a\"\\\n",code="200"} 1
                a_requests_total{path="/b",code="200"} 4
                # HELP a_level The level
                # TYPE a_level gauge
                a_level 1.5
                # HELP a_delay_seconds The delay
                # TYPE a_delay_seconds histogram
                a_delay_seconds_bucket{way="up",le="0.1"} 2
                a_delay_seconds_bucket{way="up",le="1"} 3
                a_delay_seconds_bucket{way="up",le="2.5"} 4
                a_delay_seconds_bucket{way="up",le="+Inf"} 5
                a_delay_seconds_sum{way="up"} 101.76
                a_delay_seconds_count{way="up"} 5

                """#)
    }

    @Test func whatIsCountedElsewhereIsAskedForAtEachScrape() async {
        let metrics = Metrics()
        await Self.collect(metrics)
        let first = await Self.page(metrics)
        #expect(first.contains("lanewatch_stage_in_total{stage=\"socket\"} 1\n"))
        let second = await Self.page(metrics)
        #expect(second.contains("lanewatch_stage_in_total{stage=\"socket\"} 2\n"))
        #expect(second.contains("lanewatch_stage_dropped_total{stage=\"socket\",reason=\"malformed\"} 2\n"))
        #expect(second.contains("lanewatch_stage_held{stage=\"socket\"} 0\n"))
        #expect(second.contains("lanewatch_delivery_seconds_bucket{le=\"+Inf\"} 19\n"))
    }

    @LoopActor private static func collect(_ metrics: Metrics) {
        var counts = StageCounts()
        metrics.onScrape { scrape in
            counts.in += 1
            counts.drop("malformed")
            scrape.set(stage: "socket", counts)
            if case .histogram(let bounds) = Metric.deliveryDelay.kind {
                scrape.set(.deliveryDelay, [], counts: (0...bounds.count).map { $0 == 3 ? 2 : 1 }, sum: 1)
            }
        }
    }

    @Test func theSeriesOfAMetricAreBounded() async {
        let metrics = Metrics([requests, level])
        for number in 0..<2000 { metrics.counter(requests, "/\(number)", "200").add() }
        let lines = await Self.page(metrics).split(separator: "\n").filter { $0.hasPrefix("a_requests_total{") }
        #expect(lines.count == Metrics.seriesLimit + 1)
        #expect(lines.contains("a_requests_total{path=\"other\",code=\"other\"} 1500"))
    }

    @Test(
        arguments: [
            (0, "0"), (-3, "-3"), (0.1, "0.1"), (1e15, "1000000000000000.0"), (123_456_789_012, "123456789012"),
            (.nan, "NaN"),
            (.infinity, "+Inf"), (-.infinity, "-Inf"), (1e-7, "1e-07"),
        ] as [(Double, String)])
    func numbersAreAsPrometheusReadsThem(_ number: Double, _ text: String) {
        #expect(Scrape.text(number) == text)
    }

    @Test func countersCountFromEveryThread() async {
        let metrics = Metrics([requests, level])
        let counter = metrics.counter(requests, "/", "200")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<10_000 { counter.add() } } }
        }
        #expect(await Self.page(metrics).contains("a_requests_total{path=\"/\",code=\"200\"} 80000\n"))
    }

    /// Every metric of the table, with values, as promtool sees it.
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/promtool")))
    func promtoolHasNothingToSay() async throws {
        let metrics = Metrics()
        for metric in Metric.table {
            let labels = metric.labels.map { "a \"\($0)\"" }
            await Self.fill(metrics, metric, labels)
        }
        await Self.collectProcess(metrics)
        let page = await metrics.page()
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/promtool")
        process.arguments = ["check", "metrics"]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = output
        try process.run()
        input.fileHandleForWriting.write(Data(page))
        try input.fileHandleForWriting.close()
        let said = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0 && said.isEmpty, "\(said)")
        for metric in Metric.table { #expect(String(decoding: page, as: UTF8.self).contains("# TYPE \(metric.name) ")) }
    }

    @LoopActor private static func fill(_ metrics: Metrics, _ metric: Metric, _ labels: [String]) {
        metrics.onScrape { scrape in
            if case .histogram(let bounds) = metric.kind {
                scrape.set(metric, labels, counts: Array(repeating: 1, count: bounds.count + 1), sum: 7)
            } else {
                scrape.set(metric, labels, 1)
            }
        }
    }

    @LoopActor private static func collectProcess(_ metrics: Metrics) {
        metrics.onScrape { ProcessReadings.collect(&$0) }
    }

    @Test func theProcessIsRead() async throws {
        let metrics = Metrics()
        await Self.collectProcess(metrics)
        let page = await Self.page(metrics)
        func value(_ name: String) -> Double? {
            page.split(separator: "\n").first { $0.hasPrefix(name + " ") }.flatMap {
                Double($0.dropFirst(name.count + 1))
            }
        }
        #expect(try #require(value("process_resident_memory_bytes")) > 1_000_000)
        #expect(try #require(value("process_cpu_seconds_total")) > 0)
        #expect(try #require(value("process_open_fds")) > 3)
        #expect(abs(try #require(value("process_start_time_seconds")) - Date().timeIntervalSince1970) < 3600)
    }

    @Test func theTableHasEachNameOnceAndTheReferenceNamesThemAll() {
        #expect(Set(Metric.table.map(\.name)).count == Metric.table.count)
        let reference = Metric.reference()
        for metric in Metric.table {
            #expect(reference.contains("| `\(metric.name)` | "))
            #expect(!metric.help.hasSuffix("."))
        }
    }
}
