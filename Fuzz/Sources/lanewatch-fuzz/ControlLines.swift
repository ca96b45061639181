import Agent
import Lane
import Rules

/// Requests to the control socket, and their answers.
enum ControlLines {
    private static let view: ControlView = {
        var engine = RuleEngine(table: Fixture.table)
        var lot = Steering([1, 2, 3])
        var signals = LotSignals(Fixture.set)
        for _ in 0..<50 { _ = engine.step(signals.next(&lot)) }
        return ControlView(
            engine: engine, set: Fixture.set, identity: Fixture.identity, timezone: "UTC",
            now: engine.moment ?? LaneInstant(milliseconds: 0), wall: WallInstant(milliseconds: 1_767_607_200_000))
    }()

    @Sendable static func run(_ input: [UInt8]) {
        for line in input.split(separator: 0x0A).prefix(8) {
            do throws(ControlFault) {
                let request = try read(Array(line)).get()
                require((try? read(request.line).get()) == request, "a request written and read is the same")
                let answer = try view.answer(request)
                require(!answer.contains(0x0A), "an answer is one line")
                require((try? JSONValue(parsing: answer)) != nil, "an answer is JSON")
            } catch {
                require(!error.description.isEmpty && !error.reason.isEmpty, "a fault says what it is")
            }
        }
    }

    private static func read(_ line: [UInt8]) -> Result<ControlRequest, ControlFault> {
        line.withUnsafeBytes { bytes in
            do throws(ControlFault) { return .success(try ControlRequest(parsing: bytes)) } catch {
                return .failure(error)
            }
        }
    }
}
