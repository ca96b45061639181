/// What can be blind for a while: a feed, or one kind of input device.
public struct SignalSource: Hashable, Sendable {
    /// `scanner`, `touch`, `keypad`, `msr`, or a feed's name.
    public let name: String
    /// What it may bring: signals of these types may have been missed while it was blind.
    public let types: Set<SignalType>

    /// Nil where nothing is called so.
    public init?(_ name: String) {
        if let device = Self.devices.first(where: { $0.name == name }) {
            types = Set(device.types.compactMap { SignalType($0) })
        } else if let feed = FeedKind(rawValue: name) {
            types = Self.types(of: feed)
        } else {
            return nil
        }
        self.name = name
    }

    public init(_ feed: FeedKind) {
        name = feed.rawValue
        types = Self.types(of: feed)
    }

    /// Every name there is.
    public static var names: [String] { devices.map(\.name) + FeedKind.allCases.map(\.rawValue) }

    private static func types(of feed: FeedKind) -> Set<SignalType> {
        let catalogue = SignalCatalogue.shipped
        return Set(catalogue.types.filter { catalogue[$0].from.contains(feed) })
    }

    /// What a device of each kind says through the feed evdev.
    private static let devices: [(name: String, types: [String])] = [
        ("scanner", ["scan.read", "scan.rejected", "card.swiped", "device.grabbed"]),
        ("touch", ["touch", "device.grabbed"]),
        ("keypad", ["keypad", "help.requested", "device.grabbed"]),
        ("msr", ["card.swiped", "device.grabbed"]),
    ]
}
