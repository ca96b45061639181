import Kafka
import Lane
import Loop

/// Asking the cluster for a topic before its first message, and holding back one that is not to be had.
extension Pump {
    func ask(_ place: Int, _ producer: Producer) {
        channels[place].access = .asking
        channels[place].asks += 1
        let askedOf = instance
        let topic = channels[place].topic
        Task { [weak self] in
            let answer = await producer.state(of: topic, within: 2000)
            self?.take(answer, place, askedOf)
        }
    }

    private func take(_ answer: TopicState, _ place: Int, _ askedOf: UInt64) {
        guard askedOf == instance, state == .running else {
            channels[place].access = .unasked
            return advance(place)
        }
        if case .unreachable = answer {} else { linkState.reached() }
        switch answer {
        case .ready(let partitions):
            channels[place].access = .ready
            keepPartition(place, of: partitions)
            advance(place)
        case .unreachable:
            // The call waits for a broker by itself: this is only the pause between two of them.
            askAgain(place, after: min(500, configuration.heldFor))
        case .unknown:
            hold(place, .unknown)
        case .notAuthorised:
            hold(place, .notAuthorised)
        }
    }

    func hold(_ place: Int, _ reason: HeldTopic.Reason) {
        let message =
            switch reason {
            case .unknown: "the cluster has no such topic: its messages wait"
            case .notAuthorised: "the cluster refuses this topic: its messages wait"
            case .refused: "the cluster refuses every message of this topic: they wait"
            case .quarantineFull: "the quarantine is full: the messages of this topic wait"
            case .clock:
                "the cluster refuses the time of this topic's messages: they wait for the lane's clock to be set"
            }
        let topic = channels[place].topic
        channels[place].access = .held(
            HeldTopic(topic: topic, reason: reason, since: Boottime.wallMilliseconds()))
        say(.warning, message, topic, topic, field: "topic")
        // Each try of one that refuses everything stops all topics for a moment.
        askAgain(place, after: configuration.heldFor * (reason == .refused || reason == .clock ? 4 : 1))
    }

    private func askAgain(_ place: Int, after milliseconds: Int64) {
        let asks = channels[place].asks
        EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self] in
            guard let self, channels[place].asks == asks else { return }
            if case .ready = channels[place].access { return }
            if case .held(let held) = channels[place].access, held.reason == .quarantineFull, isQuarantineFull() {
                return askAgain(place, after: milliseconds)
            }
            channels[place].access = .unasked
            advance(place)
        }
    }
}
