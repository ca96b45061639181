/// Which lane of which store: who says what the lane says.
public struct LaneIdentity: Hashable, Sendable {
    public var store: String { didSet { rename() } }
    public var lane: String { didSet { rename() } }
    // Both stand in every message: made once.
    /// CloudEvents `source`: `/stores/{store}/lanes/{lane}`.
    public private(set) var source = ""
    /// CloudEvents `partitionkey` and the Kafka record key: `{store}/{lane}`. All of one lane goes to one partition.
    public private(set) var partitionKey = ""

    public init(store: String, lane: String) {
        self.store = store
        self.lane = lane
        rename()
    }

    private mutating func rename() {
        source = "/stores/\(store)/lanes/\(lane)"
        partitionKey = "\(store)/\(lane)"
    }
}
