import Net

extension Gate {
    /// What the gate listens on, and its limits. Times are seconds.
    public struct Options: Sendable {
        /// RFB over TCP: the server speaks first.
        public var rfb: [ListenAddress] = []
        /// HTTPS: pages, and the WebSocket at `webSocketPath`.
        public var https: [ListenAddress] = []
        /// Listening sockets that somebody else opened, as `ActivatedSockets` gives them: of the name `rfb` or `https`.
        public var adopted: [(name: String, descriptor: Int32)] = []
        public var webSocketPath = "/websockify"
        public var upgrade = Self.pageUpgrade

        private static var pageUpgrade: WebSocketUpgrade {
            var upgrade = WebSocketUpgrade()
            upgrade.protocols = [Gate.pageProtocol, "binary"]
            return upgrade
        }

        /// Connections not let in yet: past it the oldest goes, never the newcomer.
        public var mostWaiting = 64
        /// The same for one address; an IPv6 network of 64 bits counts as one.
        public var mostWaitingPerAddress = 32
        /// Attendants: past it a newcomer is told so.
        public var mostVisitors = 64
        public var mostVisitorsPerAddress = 64
        /// Of one name.
        public var mostVisitorsPerAccount = 8

        /// From the first byte to being let in, but for the time in which a person types.
        public var entrySeconds: Double = 10
        /// From the question for a credential to the first byte of the answer: viewers ask a person then.
        public var typingSeconds: Double = 60
        /// For taking a page.
        public var pageSeconds: Double = 30
        /// The most by which the answer to a wrong credential is kept back.
        public var mostDelaySeconds: Double = 2
        /// Without a byte from a visitor. A still screen is watched in silence, so this is long.
        public var idleSeconds: Double = 3600
        public var longestSeconds: Double = 8 * 3600
        /// Half a message, then silence.
        public var halfMessageSeconds: Double = 2
        /// Bytes wait, and none reach the peer.
        public var stallSeconds: Double = 3

        public var messagesPerSecond = 500
        public var pingsPerSecond = 20
        /// The most bytes of pictures that wait for one visitor: the largest picture and what comes with it.
        public var heldBytes = 64 << 20

        public init() {}
    }
}
