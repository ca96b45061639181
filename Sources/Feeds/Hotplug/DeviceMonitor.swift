import Lane
import Loop

/// Who wants to hear of devices. Called on the lane's thread.
@LoopActor protocol DeviceWatcher: AnyObject {
    func deviceCame(_ device: DeviceFacts)
    /// The same device again: other permissions or properties, or the kernel said it twice.
    func deviceChanged(_ device: DeviceFacts)
    func deviceWent(_ device: DeviceFacts)
    /// News was lost. What came, went or may have done both is told right after, then `devicesSettled`.
    func devicesLost(_ reason: String)
    func devicesSettled()
}

/// The lane's one ear for devices that come and go, shared by the feeds that need it.
///
/// Keeps what is plugged, so that a double `add` or a `remove` of nothing reaches nobody. When the kernel's queue ran over, or
/// the source broke, it says so, looks at everything anew and tells the difference.
@LoopActor public final class DeviceMonitor {
    typealias SourceMaker = @LoopActor () throws(FeedError) -> any DeviceSource

    private let makeSource: SourceMaker
    private var source: (any DeviceSource)?
    private var known: [String: DeviceFacts] = [:]
    private var watchers: [any DeviceWatcher] = []
    private var retry: EventLoop.Deadline?
    private var failures = 0

    /// News in one wake-up at most; what is left wakes the loop again.
    private static let newsAtOnce = 256

    public init() {
        makeSource = { () throws(FeedError) -> any DeviceSource in try UdevSource() }
    }

    /// For tests.
    init(_ makeSource: @escaping SourceMaker) { self.makeSource = makeSource }

    /// `watcher` hears from now on; returns what is plugged now. The first to come opens udev's socket.
    func subscribe(_ watcher: any DeviceWatcher) throws(FeedError) -> [DeviceFacts] {
        if source == nil { try open() }
        watchers.append(watcher)
        return devices
    }

    /// The last to go closes the socket.
    func unsubscribe(_ watcher: any DeviceWatcher) {
        watchers.removeAll { $0 === watcher }
        if watchers.isEmpty { close() }
    }

    /// What is plugged, in order of the paths.
    var devices: [DeviceFacts] { known.values.sorted { $0.syspath < $1.syspath } }

    private func open() throws(FeedError) {
        let source = try makeSource()
        do throws(SystemError) {
            try EventLoop.shared.watch(source.descriptor, for: .readable) { [weak self] _ in self?.read() }
        } catch {
            throw FeedError("cannot watch udev's socket: \(error)", isRetriable: true)
        }
        self.source = source
        // Listening began before this look, so nothing falls between.
        for device in source.enumerate() { known[device.syspath] = device }
    }

    private func close() {
        if let source { EventLoop.shared.unwatch(source.descriptor) }
        if let retry { EventLoop.shared.cancel(retry) }
        source = nil
        retry = nil
        known = [:]
        failures = 0
    }

    /// Tells all news there is, at most `newsAtOnce`.
    func read() {
        for _ in 0..<Self.newsAtOnce {
            guard let source, let news = source.next() else { return }
            switch news {
            case .present(let device): present(device)
            case .gone(let path):
                if let device = known.removeValue(forKey: path) { tell { $0.deviceWent(device) } }
            case .other: break
            case .overflow:
                tell { $0.devicesLost("overflow") }
                compare(source.enumerate())
            case .broken:
                tell { $0.devicesLost("udev's socket failed") }
                reopen()
            }
        }
    }

    private func present(_ device: DeviceFacts) {
        let isNew = known.updateValue(device, forKey: device.syspath) == nil
        tell { isNew ? $0.deviceCame(device) : $0.deviceChanged(device) }
    }

    /// Tells the difference between what was known and `now`. What is in both may have gone and come: it is `changed`.
    private func compare(_ now: [DeviceFacts]) {
        let paths = Set(now.map(\.syspath))
        for device in devices where !paths.contains(device.syspath) {
            known.removeValue(forKey: device.syspath)
            tell { $0.deviceWent(device) }
        }
        for device in now { present(device) }
        tell { $0.devicesSettled() }
    }

    private func reopen() {
        if let source { EventLoop.shared.unwatch(source.descriptor) }
        source = nil
        let before = known
        do throws(FeedError) {
            try open()
            failures = 0
            let now = devices
            known = before
            compare(now)
        } catch {
            known = before
            failures = min(failures + 1, 6)
            retry = EventLoop.shared.schedule(inMilliseconds: 500 << failures) { [weak self] in self?.reopen() }
        }
    }

    /// A watcher may leave while it is told.
    private func tell(_ what: (any DeviceWatcher) -> Void) {
        for watcher in watchers { what(watcher) }
    }
}
