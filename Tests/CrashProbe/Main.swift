import Agent
import Feeds
import Glibc
import Lane
import Loop
import Outbox
import Rules
import Synchronization

/// A lane's recorded life through the agent's merge point and outbox, in the recording's own time: what a test kills with
/// SIGKILL, starts again, and compares with a life that was never interrupted. Never shipped.
///
///     crash-probe live FOLDER RULES RECORDING COUNT   goes on where the outbox says; writes each signal's number once it is
///                                                     durable, and "done" after the last. After COUNT numbers it begins
///                                                     the next signal, and waits to be killed
///     crash-probe tell FOLDER                         writes what the outbox holds for Kafka, a line a message
///
/// A start finds the clock where it was: nothing was missed, so that all must come as if there had been no kill.
@main struct Probe {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        func word(_ place: Int) -> String { place < words.count ? words[place] : "" }
        switch word(0) {
        case "live": try await live(word(1), word(2), word(3), Int(word(4)) ?? .max)
        case "tell": try await tell(word(1))
        default: exit(64)
        }
    }

    /// Straight to the descriptor: what is written is out, whatever happens next.
    static func say(_ text: String) {
        let bytes = Array("\(text)\n".utf8)
        _ = write(1, bytes, bytes.count)
    }

    static func fail(_ text: String) -> Never {
        say("failed: \(text)")
        exit(70)
    }

    static func read(_ path: String) -> [UInt8] {
        guard let bytes = try? FileBytes.read(path, limit: 64 << 20) else { fail("\(path) cannot be read") }
        return bytes
    }

    /// Milliseconds of the lane's clock and of the wall clock: the recording's, ten years from now, so that no timer of the
    /// event loop is ever due by itself.
    static let now = Atomic<Int64>(0)

    static let clocks = MachineClocks(
        boottimeNanoseconds: { now.load(ordering: .relaxed) * 1_000_000 },
        monotonicNanoseconds: { now.load(ordering: .relaxed) * 1_000_000 },
        wallMilliseconds: { now.load(ordering: .relaxed) })

    @LoopActor static func live(_ folder: String, _ rules: String, _ recording: String, _ count: Int) async throws {
        let lines = read(recording).split(separator: 10)
        guard let first = lines.first.map({ signal($0, 1) }) else { fail("\(recording) is empty") }
        guard let files = RuleFiles.load([rules]).rules else { fail("\(rules) is wrong") }
        let outbox = try Outbox(OutboxConfiguration(folder: folder))
        let recovered = try await outbox.recover()
        let saved = recovered.facts[Facts.clock].flatMap { LaneClock.Saved(json: $0) }
        var last = saved?.last.milliseconds ?? first.at.milliseconds
        if let newest = recovered.journal.last { last = max(last, newest.at.milliseconds) }
        now.store(last, ordering: .relaxed)

        let identity = LaneIdentity(store: "1", lane: "L1")
        var clock = LaneClock(offset: 0, boot: "recorded")
        clock.machine = clocks
        let recovery = Recovery(
            recovered, rules: files, identity: identity, localTime: UTC(), clock: clock,
            watchedUntil: LaneInstant(milliseconds: last), away: 0)
        let runner = LaneRunner(
            engine: recovery.engine, outbox: outbox, clock: clock,
            messages: LaneMessages(identity: identity, rulesDigest: files.set.digest), lastNumber: recovered.lastSignal,
            heldLimit: 10_000)
        runner.hooks.onBroken = { fail("\($0)") }
        runner.begin(recovery.steps, known: recovered.lastChange, facts: recovery.facts)
        var told = 0
        for place in Int(recovered.lastSignal)..<max(lines.count, Int(recovered.lastSignal)) {
            let signal = signal(lines[place], place + 1)
            runDeadlines(runner, before: signal.at)
            now.store(signal.at.milliseconds, ordering: .relaxed)
            // Every third is not waited for, as of a device: it becomes durable with those after it.
            if signal.number % 3 == 0 {
                runner.receive(.signal(signal.signal))
                continue
            }
            if told >= count {
                runner.receive(signal.signal) { _ in }
                while true { await pause() }
            }
            let number: Int64 = await withCheckedContinuation { done in
                runner.receive(signal.signal) { result in
                    switch result {
                    case .success(let number): done.resume(returning: number)
                    case .failure(let fault): fail(fault.message)
                    }
                }
            }
            guard number == signal.number else { fail("signal \(signal.number) was given number \(number)") }
            say("\(number)")
            told += 1
        }
        runDeadlines(runner, before: LaneInstant(milliseconds: now.load(ordering: .relaxed) + 3_600_000))
        await runner.stop()
        await outbox.close()
        say("done")
    }

    /// The engine's deadlines, each in its time.
    @LoopActor static func runDeadlines(_ runner: LaneRunner, before end: LaneInstant) {
        while let next = runner.engine.nextDeadline, next < end {
            now.store(next.milliseconds + 1, ordering: .relaxed)
            runner.runDeadlines()
        }
    }

    @LoopActor static func pause() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            EventLoop.shared.schedule(inMilliseconds: 1 << 40) { done.resume() }
        }
    }

    /// A line of the recording: a signal as in rule tests.
    static func signal(_ line: ArraySlice<UInt8>, _ number: Int) -> StampedSignal {
        let text = String(decoding: line, as: UTF8.self)
        guard let given = try? GivenLine(parsing: text) else { fail("a wrong line: \(text)") }
        let at: Int64 = 2_100_000_000_000 + given.after
        return StampedSignal(
            number: Int64(number), at: LaneInstant(milliseconds: at), wall: WallInstant(milliseconds: at),
            signal: Signal(given.type, given.attributes, feed: .pos))
    }

    static func tell(_ folder: String) async throws {
        let outbox = try Outbox(OutboxConfiguration(folder: folder))
        for topic in ["sco.interventions", "sco.interventions.payment", "sco.rules.shadow"] {
            var position = Position.start
            while true {
                let parcels = try await outbox.lease(topic: topic, after: position, limit: 500)
                for parcel in parcels {
                    position = parcel.position
                    let value = String(decoding: parcel.value ?? [], as: UTF8.self)
                    say("\(topic) \(parcel.position.seq) \(parcel.id) \(value)")
                }
                if parcels.isEmpty { break }
            }
        }
    }
}
