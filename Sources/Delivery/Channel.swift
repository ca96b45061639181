import Kafka
import Outbox

/// A topic as the pump sees it.
struct Channel {
    enum Access {
        /// The cluster was not asked yet, or must be asked again.
        case unasked
        case asking
        case ready
        case held(HeldTopic)
    }

    let topic: String
    var window: Window
    var access = Access.unasked
    /// How often the cluster was asked: a timer that was set before the last time is of no account.
    var asks = 0
    var isLeasing = false
    /// What the failed reports said since the producer was made, of the oldest message.
    var cause: (position: Position, error: KafkaError)?
    /// New messages that come next, held to be handed over together.
    var gathered: [Parcel] = []
    /// Up to here what was gathered was read, and counts as handed over with the outbox.
    var leasedTo = Position.start
    /// The groups on their way, the oldest first: for each the ticket behind its last message.
    var groups: [UInt64] = []
    /// Up to here it was told that messages are missing from the outbox.
    var missingTold = Position.start
    /// Seen by a look, and no wake-up has told of it yet.
    var unheard: Position?

    init(topic: String, settled: Position) {
        self.topic = topic
        window = Window(acked: settled, head: settled)
    }
}

/// What a report brings back in 64 bits: which producer, which topic, which message.
enum Opaque {
    static let instanceMask: UInt64 = 0xFFFF

    static func pack(instance: UInt64, channel: Int, ticket: UInt64) -> UInt64 {
        (instance & instanceMask) << 48 | (UInt64(channel) & 0xFFF) << 36 | ticket & 0xF_FFFF_FFFF
    }

    /// The same for a message further on.
    static func advance(_ opaque: UInt64, by count: Int) -> UInt64 {
        opaque & ~0xF_FFFF_FFFF | (opaque &+ UInt64(count)) & 0xF_FFFF_FFFF
    }

    static func unpack(_ opaque: UInt64) -> (instance: UInt64, channel: Int, ticket: UInt64) {
        (opaque >> 48, Int(opaque >> 36 & 0xFFF), opaque & 0xF_FFFF_FFFF)
    }
}
