import Synchronization

/// Runs work of the loop's thread from a thread that may wait: a command's own, never the loop's.
public enum Blocking {
    public static func run(_ body: @escaping @LoopActor () async -> Void) {
        let done = Semaphore()
        Task { @LoopActor in
            await body()
            done.signal()
        }
        done.wait()
    }

    public static func run(_ body: @escaping @LoopActor () async throws -> Void) throws {
        let result = value { () async -> Result<Void, any Error> in
            do {
                try await body()
                return .success(())
            } catch { return .failure(error) }
        }
        try result.get()
    }

    public static func value<Value: Sendable>(_ body: @escaping @LoopActor () async -> Value) -> Value {
        let box = Mutex<Value?>(nil)
        let shared = Shared(box)
        let done = Semaphore()
        Task { @LoopActor in
            let value = await body()
            shared.box.withLock { $0 = value }
            done.signal()
        }
        while true {
            done.wait()
            if let value = shared.box.withLock({ $0 }) { return value }
        }
    }

    private final class Shared<Value: Sendable>: Sendable {
        let box: Mutex<Value?>
        init(_ box: consuming Mutex<Value?>) { self.box = box }
    }
}
