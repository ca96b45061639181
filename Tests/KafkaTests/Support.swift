import Dispatch
import Foundation
import Loop
import Testing

@testable import Kafka

/// Keeps what a producer says and wakes those who wait for it.
@LoopActor final class Listener {
    private(set) var reports: [DeliveryReport] = []
    private(set) var errors: [KafkaError] = []
    private(set) var logs: [String] = []
    private(set) var statistics: [[UInt8]] = []
    private var waiting: [(isMet: @LoopActor (Listener) -> Bool, done: CheckedContinuation<Bool, Never>)] = []

    func take(_ event: ProducerEvent) {
        switch event {
        case .reports(let new): reports += new
        case .error(let error): errors.append(error)
        case .log(_, _, let text): logs.append(text)
        case .statistics(let bytes): statistics.append(bytes)
        }
        check()
    }

    private func check() {
        let met = waiting.filter { $0.isMet(self) }
        waiting.removeAll { $0.isMet(self) }
        for one in met { one.done.resume(returning: true) }
    }

    /// Waits until `isMet` after some event, at most 30 s.
    func until(_ isMet: @escaping @LoopActor (Listener) -> Bool) async -> Bool {
        if isMet(self) { return true }
        EventLoop.shared.schedule(inMilliseconds: 30_000) { [self] in
            for one in waiting { one.done.resume(returning: false) }
            waiting = []
        }
        return await withCheckedContinuation { waiting.append((isMet, $0)) }
    }

    var delivered: [UInt64] { reports.filter { $0.error == nil }.map(\.opaque) }
}

func safe(_ bootstrap: String, _ more: KeyValuePairs<String, String> = [:]) -> ClientConfiguration {
    var configuration = ClientConfiguration([
        "bootstrap.servers": bootstrap, "acks": "all", "enable.idempotence": "true",
        "enable.gapless.guarantee": "true", "message.timeout.ms": "0", "linger.ms": "0",
        "partitioner": "murmur2_random", "retry.backoff.ms": "50", "reconnect.backoff.ms": "50",
        "reconnect.backoff.max.ms": "200",
    ])
    configuration.settings += more.map { .init($0.key, $0.value) }
    return configuration
}

/// Reads `topic` to its end with kcat: another implementation's view of what is there.
func kcat(_ bootstrap: String, _ topic: String, format: String, partition: Int? = nil) async throws -> [String] {
    let text: String = try await withCheckedThrowingContinuation { done in
        DispatchQueue.global().async {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/timeout")
            process.arguments =
                ["20", "kcat", "-C", "-b", bootstrap, "-t", topic, "-o", "beginning", "-e", "-q", "-f", format]
                + (partition.map { ["-p", String($0)] } ?? [])
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = FileHandle.nullDevice
            do {
                try process.run()
                let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
                process.waitUntilExit()
                done.resume(returning: String(decoding: bytes, as: UTF8.self))
            } catch { done.resume(throwing: error) }
        }
    }
    return text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
}
