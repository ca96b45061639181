import CLinux
import Glibc
import Lane
import Loop

/// Input devices of the allow-list: what scanners read, and that somebody touches, presses keys, draws a card.
///
/// Devices are found through `DeviceMonitor`, opened for reading only, never grabbed, and closed when they go; a device that
/// comes back is opened again. All others are never opened. Its snapshot is empty: it tells events, no states; whether a
/// device is there is told by `HotplugFeed`.
///
/// `counts`: in, bursts of keys, touches, swipes; out, the signals they became; dropped, by `ScanRejection`'s words and
/// `card_data`; held, bursts in progress.
@LoopActor public final class EvdevFeed: Feed {
    public nonisolated var kind: FeedKind { .evdev }
    public private(set) var counts = StageCounts()

    /// Opens a node for reading: `EvdevNode.open`, or a double.
    typealias Opener = (String) throws(SystemError) -> Int32

    /// A device of the list that is plugged.
    private final class Slot {
        let facts: DeviceFacts
        let rule: EvdevDeviceRule
        var device: EvdevDevice?
        var attempts = 0
        var retry: EventLoop.Deadline?
        /// It was told that this device cannot be read.
        var isToldBlind = false
        /// It cannot do what its role asks for: another node of the same device will.
        var isUnsuitable = false
        var openedAt: Int64 = 0

        init(_ facts: DeviceFacts, _ rule: EvdevDeviceRule) {
            self.facts = facts
            self.rule = rule
        }
    }

    private let rules: [EvdevDeviceRule]
    private let monitor: DeviceMonitor
    private let opener: Opener
    private let firstRetry: Int64
    private var slots: [String: Slot] = [:]
    private var keymaps: [String: Keymap] = [:]
    private weak var sink: (any FeedSink)?

    /// Attempts to open a node, after 100, 200, 400 … ms: about 6 seconds. udev may set permissions late.
    private static let attempts = 7
    /// After so many failures it is told. The first ones are everyday.
    private static let attemptsUnsaid = 3
    /// A device that ends sooner than this after it was opened is flapping, and waits longer each time.
    private static let settledMilliseconds: Int64 = 2_000

    public convenience init(rules: [EvdevDeviceRule], monitor: DeviceMonitor) {
        self.init(rules: rules, monitor: monitor, opener: EvdevNode.open, firstRetry: 100)
    }

    /// `firstRetry`: milliseconds after which a node that could not be opened is tried again; doubles each time.
    init(rules: [EvdevDeviceRule], monitor: DeviceMonitor, opener: @escaping Opener, firstRetry: Int64) {
        self.rules = rules
        self.monitor = monitor
        self.opener = opener
        self.firstRetry = firstRetry
    }

    public func start(_ sink: any FeedSink) throws(FeedError) {
        for rule in rules where rule.kind == .scanner {
            guard let keymap = keymap(of: rule) else {
                throw FeedError(
                    "device \(rule.role): xkb-data has no layout \(rule.scan.layout) \(rule.scan.variant), or it is not installed",
                    isRetriable: false)
            }
            keymaps[Self.name(of: rule)] = keymap
        }
        self.sink = sink
        do throws(FeedError) {
            for device in try monitor.subscribe(self) { deviceCame(device) }
        } catch {
            self.sink = nil
            throw error
        }
    }

    public func stop() {
        sink = nil
        monitor.unsubscribe(self)
        for slot in slots.values { close(slot) }
        slots = [:]
        keymaps = [:]
    }

    /// There is no state to tell again. What could not be opened is tried anew.
    public func resync() {
        for slot in slots.values where slot.device == nil && !slot.isUnsuitable {
            slot.attempts = 0
            open(slot)
        }
    }

    // MARK: Opening

    private func open(_ slot: Slot) {
        if let retry = slot.retry { EventLoop.shared.cancel(retry) }
        slot.retry = nil
        guard sink != nil, let path = slot.facts.node else { return }
        do throws(SystemError) {
            let node = EvdevNode(owning: try opener(path))
            let identity = try node.identify()
            // The node may belong to another device by now; what is not on the list is not read.
            if let vendor = slot.facts.vendor, let product = slot.facts.product,
                (vendor, product) != (identity.vendor, identity.product)
            {
                throw SystemError("open", code: ENXIO)
            }
            guard identity.suits(slot.rule.kind), let decoder = decoder(for: slot.rule) else {
                slot.isUnsuitable = true
                note(.debug, "input node does not suit its role", slot)
                return
            }
            let device = EvdevDevice(rule: slot.rule, path: path, node: node, decoder: decoder)
            slot.device = device
            slot.openedAt = Boottime.milliseconds()
            note(.info, "input device opened", slot)
            slot.isToldBlind = false
            try device.start(self)
        } catch {
            slot.device?.stop()
            slot.device = nil
            failed(slot, error)
        }
    }

    private func failed(_ slot: Slot, _ error: SystemError) {
        slot.attempts += 1
        if slot.attempts >= Self.attemptsUnsaid, !slot.isToldBlind {
            slot.isToldBlind = true
            note(
                .warning, "input device cannot be opened", slot,
                [.init("error", error.description), .init("remedy", Self.remedy(error))])
            sink?.receive(.gap(Gap(feed: .evdev, subject: slot.rule.role, reason: "cannot be opened")))
        }
        retry(slot)
    }

    private func retry(_ slot: Slot) {
        guard slot.attempts < Self.attempts else {
            return note(.warning, "input device given up until it changes or the agent resyncs", slot)
        }
        guard slot.retry == nil else { return }
        let wait = firstRetry << (max(0, slot.attempts - 1))
        slot.retry = EventLoop.shared.schedule(inMilliseconds: wait) {
            [weak self, weak slot] in
            guard let self, let slot, slot.device == nil else { return }
            slot.retry = nil
            self.open(slot)
        }
    }

    private static func remedy(_ error: SystemError) -> String {
        switch error.code {
        case EACCES:
            "the agent's user may not read it: give it a line in 60-lanewatch.rules, then udevadm control --reload "
                + "and udevadm trigger --subsystem-match=input"
        case EPERM: "the unit forbids it: it needs DeviceAllow=char-input r"
        case ENOENT: "udev has not made the node"
        default: "none known; it is tried again when the device changes"
        }
    }

    private func close(_ slot: Slot) {
        if let retry = slot.retry { EventLoop.shared.cancel(retry) }
        slot.retry = nil
        slot.device?.stop()
        slot.device = nil
    }

    private func decoder(for rule: EvdevDeviceRule) -> (any InputDecoder)? {
        switch rule.kind {
        case .scanner:
            keymaps[Self.name(of: rule)].map { ScanDecoder(options: rule.scan, layout: XKBLayout($0)) }
        case .touch: TouchDecoder()
        case .keypad: KeypadDecoder()
        case .msr: SwipeDecoder()
        case .presence: nil
        }
    }

    private func keymap(of rule: EvdevDeviceRule) -> Keymap? {
        keymaps[Self.name(of: rule)] ?? Keymap(layout: rule.scan.layout, variant: rule.scan.variant)
    }

    private static func name(of rule: EvdevDeviceRule) -> String { "\(rule.scan.layout)/\(rule.scan.variant)" }

    // MARK: Saying

    private func say(_ type: String, _ attributes: [(String, String)] = []) {
        guard let signal = Signal(type, attributes, feed: .evdev) else { return }
        sink?.receive(.signal(signal))
    }

    private func note(
        _ level: Notice.Level, _ message: String, _ slot: Slot, _ more: [Notice.Field] = []
    ) {
        sink?.note(Notice(level, message, [.init("device", slot.rule.role), .init("port", slot.facts.port)] + more))
    }
}

// MARK: Devices come and go

extension EvdevFeed: DeviceWatcher {
    func deviceCame(_ device: DeviceFacts) {
        guard device.class == .input, let rule = rules.rule(for: device), rule.kind != .presence else { return }
        let slot = Slot(device, rule)
        slots[device.syspath] = slot
        open(slot)
    }

    /// Permissions may have come late, or the device went and came while nobody listened.
    func deviceChanged(_ device: DeviceFacts) {
        if let slot = slots[device.syspath] {
            if slot.isUnsuitable || slot.device?.hasHungUp == false { return }
            deviceWent(slot.facts)
        }
        deviceCame(device)
    }

    func deviceWent(_ device: DeviceFacts) {
        guard let slot = slots.removeValue(forKey: device.syspath) else { return }
        close(slot)
    }

    /// Devices may have been replaced: `deviceChanged` will look at each. What they typed is a hole.
    func devicesLost(_ reason: String) {
        sink?.receive(.gap(Gap(feed: .evdev, subject: "", reason: reason)))
    }

    func devicesSettled() {}
}

// MARK: What devices say

extension EvdevFeed: EvdevDeviceOwner {
    func device(_ device: EvdevDevice, began: Int, outcome: InputOutcome?) {
        let role = device.rule.role
        counts.in += began
        counts.held += began
        guard let outcome else { return }
        counts.held -= 1
        switch outcome {
        case .touch:
            counts.out += 1
            say("touch")
        case .key:
            counts.out += 1
            say("keypad")
        case .swipe, .scan(.card):
            counts.out += 1
            say("card.swiped", [("device", role)])
        case .scan(.cardTail): counts.drop("card_data")
        case .scan(.rejected(let reason)):
            counts.drop(reason.rawValue)
            say("scan.rejected", [("reason", reason.rawValue)])
        case .scan(.code(let code)):
            counts.out += 1
            var attributes = [("code", code.text), ("check", code.check.rawValue)]
            if let aim = code.aim { attributes.insert(("sym", aim.text), at: 1) }
            say("scan.read", attributes)
        }
    }

    func deviceDropped(_ device: EvdevDevice) {
        sink?.receive(.gap(Gap(feed: .evdev, subject: device.rule.role, reason: "SYN_DROPPED")))
    }

    func deviceEnded(_ device: EvdevDevice, code: Int32) {
        guard let slot = slots.values.first(where: { $0.device === device }) else { return }
        slot.device = nil
        // Usually it was unplugged and udev is about to say so. If not, it is tried again, ever more slowly.
        if code != 0, code != ENODEV {
            note(.warning, "input device ended", slot, [.init("error", SystemError.text(of: code))])
            sink?.receive(.gap(Gap(feed: .evdev, subject: device.rule.role, reason: "read failed")))
        }
        if Boottime.milliseconds() - slot.openedAt >= Self.settledMilliseconds { slot.attempts = 0 }
        slot.attempts += 1
        retry(slot)
    }
}
