import Kafka
import Outbox

/// How the pump works. All times in milliseconds.
public struct PumpConfiguration: Sendable {
    public var producer: ClientConfiguration
    /// Messages handed over and not acknowledged, of all topics and of one: so that a topic whose partition has no
    /// leader leaves room for the others. After a crash at most `window` are sent twice.
    public var window = 2000
    public var windowPerTopic = 1000
    public var windowBytes = 8 << 20
    /// Groups of messages of one topic that are on their way at once: each is one commit's, or what was gathered or read
    /// meanwhile. A second one only while the first has fewer than five messages: librdkafka would not send it.
    public var groups = 2
    /// Messages read at once.
    public var leaseRows = 500
    /// Acknowledgements are written down when this many are together or this long after the first.
    public var settleCount = 500
    public var settleAfter: Int64 = 100
    /// The look for rows that no wake-up told of. Every third one looks for reports that do not come.
    public var look: Int64 = 10_000
    /// A message without a report for this long, with a broker connected, has the producer made anew.
    public var staleAfter: Int64 = 120_000
    /// A topic that is unknown or refused is asked for again after this long.
    public var heldFor: Int64 = 15_000
    public var firstBackoff: Int64 = 1000
    public var longestBackoff: Int64 = 15_000
    /// A message refused for good this often in a row goes to the dead letters.
    public var refusals = 5
    /// With so much among the dead letters nothing is put there any more: the topic waits.
    public var quarantineMessages = QuarantineSize.limit.messages
    public var quarantineBytes = QuarantineSize.limit.bytes

    /// Reads the producer's settings again, with passwords and certificates as they are in their files now; nil where one
    /// cannot be read. Called on a thread of its own: at the start, before a producer is made anew, and when a broker
    /// refuses what it was shown.
    public var credentials: (@Sendable () -> ProducerCredentials?)?

    public init(producer: ClientConfiguration) { self.producer = producer }
}

/// Settings of a producer, secrets included.
public struct ProducerCredentials: Sendable {
    public var producer: ClientConfiguration
    /// Another number where a secret or a file that a setting names has changed. Of this process alone.
    public var mark: Int

    public init(producer: ClientConfiguration, mark: Int) {
        self.producer = producer
        self.mark = mark
    }
}
