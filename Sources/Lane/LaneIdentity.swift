/// Which lane of which store: who says what the lane says.
public struct LaneIdentity: Hashable, Sendable {
    public var store: String
    public var lane: String

    public init(store: String, lane: String) {
        self.store = store
        self.lane = lane
    }

    /// CloudEvents `source`: `/stores/{store}/lanes/{lane}`.
    public var source: String { "/stores/\(store)/lanes/\(lane)" }

    /// CloudEvents `partitionkey` and the Kafka record key: `{store}/{lane}`. All of one lane goes to one partition.
    public var partitionKey: String { "\(store)/\(lane)" }
}
