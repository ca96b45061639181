import FaultParts

/// A fault, how often it is tried, and what is done to a lane that works.
struct Row: Sendable {
    enum Bed: Sendable {
        /// Three real brokers behind the proxy.
        case kafka
        /// librdkafka's own brokers in this process, which can be told to answer with errors. They check no sequences.
        case mock
    }

    let name: String
    let title: String
    /// Runs of a whole series: 20 where the fault lasts at most 10 s, else 3.
    let times: Int
    let bed: Bed
    /// A run with something taken away that must be caught: clean is wrong.
    let isControl: Bool
    /// Settings of the agent's `kafka:` that only this row has.
    let kafka: [String: String]
    /// The agent starts on a state folder of this many bytes, in a mount namespace of its own.
    let stateBytes: Int?
    /// Signals a second, where it is not as in other rows.
    let rate: Int?
    /// The topic is made by the row itself.
    let makesTopic: Bool
    /// The agent is a program of the harness instead, which publishes as forwarders do: see `Hasty`.
    let isHasty: Bool
    /// The fault breaks a promise that the consumer relies on: it may stop with an alarm.
    let mayStopTheConsumer: Bool
    let act: @Sendable (Trial) async throws -> Void

    init(
        _ name: String, _ title: String, times: Int = 20, bed: Bed = .kafka, isControl: Bool = false,
        kafka: [String: String] = [:], stateBytes: Int? = nil, rate: Int? = nil, makesTopic: Bool = false,
        isHasty: Bool = false,
        mayStopTheConsumer: Bool = false,
        _ act: @escaping @Sendable (Trial) async throws -> Void
    ) {
        self.name = name
        self.title = title
        self.times = times
        self.bed = bed
        self.isControl = isControl
        self.kafka = kafka
        self.stateBytes = stateBytes
        self.rate = rate
        self.makesTopic = makesTopic
        self.isHasty = isHasty
        self.mayStopTheConsumer = mayStopTheConsumer
        self.act = act
    }

    static let all: [Row] = ofTheAgent + ofThePath + ofTheBrokers + ofTheTopic + ofTheMock + ofTheDisk + controls
}

extension Row {
    /// What is missing on this machine, in words; nil where nothing is.
    var reasonNotToRun: String? {
        guard stateBytes != nil else { return nil }
        let isAllowed = (try? Command.run(["unshare", "-m", "/bin/true"]).code) == 0
        return isAllowed ? nil : "mount namespaces are refused here (unshare -m): run it as root"
    }
}
