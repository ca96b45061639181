import Feeds
import Lane
import Outbox
import YAML

/// What `lanewatch.yaml` says, checked. `docs/reference/lanewatch.yaml` is its commented example.
public struct Configuration: Sendable {
    public var identity = LaneIdentity(store: "", lane: "")
    /// IANA name of the store's time zone, for `at`.
    public var timezone = "UTC"
    /// The folder of the outbox; absolute.
    public var stateFolder = "/var/lib/lanewatch"
    /// Rule files, in order; absolute.
    public var ruleFiles: [String] = []
    /// Whose rule sets are taken.
    public var signing = Signing()
    /// How long a new rule set is watched, and what is too much; nil lets every set be.
    var rollout: Rollout.Settings? = Rollout.Settings()
    /// The socket takes every signal of the catalogue, whoever should bring it. For demonstrations and tests.
    public var isSimulated = false
    public var socket: Socket? = Socket()
    /// Where the running agent can be asked; nil turns it off.
    public var control: Control? = Control()
    /// The allow-list, in order: of several that mean a device, the first counts.
    public var devices: [EvdevDeviceRule] = []
    public var kafka: [KafkaSetting] = []
    public var topics = TopicNames()
    public var topicSettings = TopicSettings()
    /// From which on the outbox's backlog is told as high.
    public var backlog = BacklogFeed.Limits()
    public var recording: Recording?
    public var outbox = Outbox()
    /// Most bytes of undelivered messages that the outbox keeps.
    public var outboxBytes: Int64 { outbox.maximumBytes }
    /// Most signals in memory that wait for the disk.
    public var heldSignals = 10_000
    /// Milliseconds: what waits goes on over a gap up to this long; over a longer one an answer may have come unseen.
    public var gapLimit: Int64 = 10_000
    /// `address:port` of /metrics and /healthz; nil turns them off.
    public var metrics: Listen? = Listen(address: "127.0.0.1", port: 9464)
    /// The live view; nil: there is none.
    public var view: ViewSettings?
    public var log = Log()
    /// The file that it was read from; empty where it came from none.
    public var path = ""
    /// `sha256:` and the digest of the file's bytes.
    public var digest = ""

    public init() {}

    /// Settings that do not come from a file.
    public mutating func setKafka(_ settings: KeyValuePairs<String, String>) {
        let nowhere = SourcePosition(line: 1, column: 1, offset: 0)
        let range = SourceRange(start: nowhere, end: nowhere)
        kafka = settings.map { KafkaSetting(key: $0.key, value: $0.value, keyRange: range, valueRange: range) }
    }

    public struct Socket: Hashable, Sendable {
        public var path = "/run/lanewatch/pos.sock"
        /// Permission bits of the socket file.
        public var mode: UInt32 = 0o660
        /// The group that owns the socket file; nil leaves it to the agent's own.
        public var group: String?
        /// Who may write: names or numbers. Root and the agent's own user may always.
        public var users: [String] = []
        public var groups: [String] = []
        /// Who may bring the signals of staff; nobody else may, not even root.
        public var staffUsers: [String] = []
        public var staffGroups: [String] = []
        public var linesPerSecond = 100_000
        public var lineBytes = 64 << 10
        public var connections = 64

        public init() {}
    }

    public struct Control: Hashable, Sendable {
        public var path = "/run/lanewatch/control.sock"
        /// Permission bits of the socket file.
        public var mode: UInt32 = 0o600
        /// The group that owns the socket file; nil leaves it to the agent's own.
        public var group: String?
        /// Who may ask: names or numbers. Root and the agent's own user may always.
        public var users: [String] = []
        public var groups: [String] = []
        /// Who of them may also release and discard messages of the quarantine, besides root and the agent's own user.
        public var changeUsers: [String] = []
        public var changeGroups: [String] = []
        /// Who may tell what became of sessions of the live view, besides root and the agent's own user: the view's own, where it
        /// runs as another. What they say stands in the audit, with their number.
        public var viewUsers: [String] = []

        public init() {}
    }

    public struct Signing: Sendable {
        public var isRequired = false
        /// Files with public keys, absolute, and where they stand.
        public var keys: [(path: String, range: SourceRange)] = []
        public init() {}
    }

    /// A key of `kafka:`, passed to librdkafka as it stands, or as the file says that its value names.
    public struct KafkaSetting: Sendable {
        public var key: String
        /// Empty where it comes from a file.
        public var value: String
        public var source = SettingSource.text
        /// Where it stands: what librdkafka says of it is shown there.
        public var keyRange: SourceRange
        public var valueRange: SourceRange
    }

    public struct Recording: Hashable, Sendable {
        public var path = ""
        public var limitBytes: Int64 = 64 << 20
        public var keep = 4
        public init() {}
    }

    /// How much the outbox keeps, and what it gives up.
    public struct Outbox: Hashable, Sendable {
        /// Most bytes of undelivered messages.
        public var maximumBytes: Int64 = 512 << 20
        /// Milliseconds; nil keeps messages whatever their age. As long as `sco.interventions` keeps them.
        public var maximumAge: Int64? = 30 * 86_400_000
        public var whenFull = WhenFull.drop
        public init() {}
    }

    public struct Listen: Hashable, Sendable, CustomStringConvertible {
        public var address: String
        public var port: UInt16
        public init(address: String, port: UInt16) {
            self.address = address
            self.port = port
        }
        public var description: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }
    }

    public struct Log: Hashable, Sendable {
        public enum Format: String, Hashable, Sendable, CaseIterable { case auto, text, json, journal }
        public var level = Notice.Level.info
        public var format = Format.auto
        public init() {}
    }
}
