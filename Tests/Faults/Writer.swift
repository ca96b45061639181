import FaultParts
import Feeds
import Foundation
import Glibc
import Synchronization

/// The POS application: writes numbered signals at a steady rate, one after the other, and keeps the ledger of what was
/// answered. When the connection breaks it comes again and goes on with the next number.
final class Writer: Sendable {
    private struct State {
        var isOver = false
        var hasEnded = false
        var extra: [Int: String] = [:]
    }
    private let state = Mutex(State())
    private let socket: String
    private let ledger: Ledger
    private let perSecond: Int
    /// Nanoseconds.
    private static let mostBehind: UInt64 = 500_000_000

    init(socket: String, ledger: Ledger, perSecond: Int) {
        self.socket = socket
        self.ledger = ledger
        self.perSecond = perSecond
    }

    /// Signal `number` carries `text` as its reason: for a message of a size of its own.
    func enlarge(_ number: Int, _ text: String) { state.withLock { $0.extra[number] = text } }

    func start() {
        let thread = Thread { [self] in
            work()
            state.withLock { $0.hasEnded = true }
        }
        thread.name = "writer"
        thread.start()
    }

    /// Ends after the answer that is waited for.
    func stop() async throws {
        state.withLock { $0.isOver = true }
        let end = Date(timeIntervalSinceNow: 30)
        while !state.withLock({ $0.hasEnded }) {
            guard Date() < end else { throw Fault("the writer does not end") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private var isOver: Bool { state.withLock { $0.isOver } }

    private func work() {
        while !isOver {
            do { try converse() } catch { usleep(10_000) }
        }
    }

    /// Writes until the connection breaks or it is told to end.
    private func converse() throws(SignalClientError) {
        var client = try SignalClient(path: socket, timeout: .seconds(2))
        var began = DispatchTime.now().uptimeNanoseconds
        var written: UInt64 = 0
        while !isOver {
            let due = began + written * 1_000_000_000 / UInt64(perSecond)
            let now = DispatchTime.now().uptimeNanoseconds
            if now < due { usleep(useconds_t(min(1_000_000, (due - now) / 1000))) }
            // After a long wait it does not make up for all of it: more than a thousand interventions are not open at once.
            if now > due + Self.mostBehind { began += now - due - Self.mostBehind }
            written += 1
            let number = ledger.begin()
            let extra = state.withLock { $0.extra[number] }.map { ",\"reason\":\"\($0)\"" } ?? ""
            let line = "{\"type\":\"item.refused\",\"code\":\"\(Ledger.code(number))\"\(extra),\"ack\":true}"
            do throws(SignalClientError) {
                let answer = try client.send(Array(line.utf8), timeout: .seconds(20))
                if answer.number != nil { ledger.answer(number) } else { ledger.refuse() }
            } catch {
                ledger.doubt(number)
                throw error
            }
        }
    }
}
