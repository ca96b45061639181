import CLinux
import CRdKafka
import Glibc
import Loop
import Synchronization

/// Has librdkafka send at once what it holds, whatever `linger.ms` says: a thread that flushes for a millisecond.
///
/// While rd_kafka_flush runs, messages do not linger. So a group that is handed over one message after the other is sent
/// together, once all of it is there, and a message alone waits for nothing; with `linger.ms=0` the sending thread would take the
/// first of a group alone. A flush that ends before the sending thread is awake has no effect: then the linger ends the wait.
/// Source: rdkafka.h, "rd_kafka_flush"; docs/decisions/0011-linger.md.
final class Push: Sendable {
    private let wake: Int32
    private let done: Int32
    private let isOver = Atomic<Bool>(false)

    /// Starts the thread; nil where there are no descriptors. `end` must be called before the handle is destroyed.
    init?(_ handle: Instance.Pointer) {
        wake = eventfd(0, Int32(EFD_CLOEXEC))
        done = eventfd(0, Int32(EFD_CLOEXEC))
        guard wake >= 0, done >= 0 else {
            for raw in [wake, done] where raw >= 0 { _ = CLinux.close(raw) }
            return nil
        }
        startThread(name: "kafka-push") { [self] in run(handle) }
    }

    private func run(_ handle: Instance.Pointer) {
        while true {
            var count: UInt64 = 0
            let length = read(wake, &count, 8)
            if isOver.load(ordering: .acquiring) { break }
            guard length == 8 else { continue }
            // In event mode it serves nothing: it waits until nothing is outstanding, or a millisecond.
            _ = rd_kafka_flush(handle.raw, 1)
        }
        Self.count(done)
    }

    private static func count(_ descriptor: Int32) {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// What was handed over is to be sent. From any thread; does not block.
    func push() { Self.count(wake) }

    /// Ends the thread, and waits for it: some milliseconds at most. Called once.
    func end() {
        isOver.store(true, ordering: .releasing)
        push()
        var count: UInt64 = 0
        while read(done, &count, 8) < 0, errno == EINTR {}
        for raw in [wake, done] { _ = CLinux.close(raw) }
    }
}
