/// A part of Lanewatch that reads what others wrote, fed with any bytes.
///
/// Besides "no trap, no hang" each says what has to hold of every input. Deterministic: what is drawn by lot is drawn from
/// the input (`Steering`), so that a find can be replayed.
struct Target: Sendable {
    var name: String
    var run: @Sendable ([UInt8]) -> Void

    static let all: [Target] = [
        Target(name: "rules", run: RuleFiles.run),
        Target(name: "tests", run: TestFiles.run),
        Target(name: "recordings", run: Recordings.run),
        Target(name: "socket", run: SocketLines.run),
        Target(name: "configuration", run: Configurations.run),
        Target(name: "bundles", run: Bundles.run),
        Target(name: "snapshots", run: Snapshots.run),
        Target(name: "control", run: ControlLines.run),
        Target(name: "websocket", run: WebSocketFrames.run),
        Target(name: "greeting", run: Greetings.run),
        Target(name: "token", run: Tokens.run),
        Target(name: "viewer", run: ClientMessages.run),
    ]
}
