import CLinux
import Feeds
import Glibc
import Kafka
import Lane
import Loop
import Net
import Outbox

/// Looks at everything that a lane needs, from this lane, and says of each thing how it is and what to do.
///
/// Writes nothing but an empty file into the state folder, which it removes; sends nothing to a topic; shows no secret. Blocks:
/// for commands. A check takes at most `patience` for each broker and topic.
public struct Doctor: Sendable {
    public enum Verdict: String, Hashable, Sendable { case ok, warn, fail }

    public struct Finding: Hashable, Sendable {
        /// What was looked at: `broker kafka-1.example:9092`.
        public var check: String
        public var verdict: Verdict
        /// What was found.
        public var sentence: String
        /// What to do about it; empty where all is well.
        public var remedy: String

        public init(check: String, verdict: Verdict, sentence: String, remedy: String = "") {
            self.check = check
            self.verdict = verdict
            self.sentence = sentence
            self.remedy = remedy
        }
    }

    let configuration: Configuration
    /// Those that the lane writes.
    let topics: [String]
    /// Milliseconds.
    let patience: Int32
    private let tell: @Sendable (Finding) -> Void
    public private(set) var findings: [Finding] = []

    /// - Parameters:
    ///   - topics: Those to look for; nil for the configuration's own, without those that rules name.
    ///   - tell: Is given each finding as it comes.
    public init(
        _ configuration: Configuration, topics: [String]? = nil, patience: Int32 = 10_000,
        tell: @escaping @Sendable (Finding) -> Void
    ) {
        self.configuration = configuration
        self.topics = topics ?? configuration.topics.all
        self.patience = patience
        self.tell = tell
    }

    /// The worst of what was found.
    public var verdict: Verdict {
        findings.contains { $0.verdict == .fail } ? .fail : findings.contains { $0.verdict == .warn } ? .warn : .ok
    }

    mutating func add(_ check: String, _ verdict: Verdict, _ sentence: String, _ remedy: String = "") {
        // Addresses and names come from a configuration: a number that could be a card's is none of the doctor's business.
        let shown = CardText.masked(sentence) ?? sentence
        let finding = Finding(check: check, verdict: verdict, sentence: shown, remedy: remedy)
        findings.append(finding)
        tell(finding)
    }

    /// Everything but the configuration, which was read before.
    public mutating func examine() async {
        lookAtVersions()
        lookAtState()
        lookAtClock()
        await lookAtDevices()
        lookAtAgent()
        await lookAtLink()
    }

    private mutating func lookAtVersions() {
        add("lanewatch", .ok, "version \(Version.text)")
        add("librdkafka", .ok, "version \(LibraryVersion.current)")
        add("OpenSSL", .ok, OpenSSLVersion.current)
        add("SQLite", .ok, "version \(SQLiteVersion.current)")
    }

    private mutating func lookAtState() {
        let folder = configuration.stateFolder
        let check = "state folder \(folder)"
        let remedy = "it must be there and belong to the agent's user: install -d -m 700 -o lanewatch \(folder)"
        let probe = "\(folder)/.doctor-\(getpid())"
        let raw = lw_open(probe, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else {
            let parent = folder.lastIndex(of: "/").map { String(folder[..<$0]) } ?? "."
            if errno == ENOENT, access(parent.isEmpty ? "/" : parent, W_OK) == 0 {
                return add(check, .warn, "is not there yet", "the agent makes it when it is started for the first time")
            }
            return add(check, .fail, "cannot be written: \(SystemError.text(of: errno))", remedy)
        }
        close(raw)
        unlink(probe)
        var facts = statvfs()
        guard statvfs(folder, &facts) == 0 else { return add(check, .ok, "can be written") }
        let free = Int64(facts.f_bavail) * Int64(facts.f_frsize)
        let sentence = "can be written, \(free >> 20) MiB free"
        if free < configuration.outbox.maximumBytes {
            add(
                check, .warn, sentence,
                "the outbox may grow to \(configuration.outbox.maximumBytes >> 20) MiB (outbox.max_mib): make room, or allow it less"
            )
        } else {
            add(check, .ok, sentence)
        }
    }

    private mutating func lookAtClock() {
        let now = WallInstant(milliseconds: Boottime.wallMilliseconds())
        // No release of this program is older.
        if now.milliseconds < 1_735_689_600_000 {
            add("clock", .fail, "shows \(now.rfc3339), which is past", "set it: certificates and messages depend on it")
        } else if !LaneClock.isWallSynchronised {
            add(
                "clock", .warn, "shows \(now.rfc3339) and is not synchronised",
                "let systemd-timesyncd or chrony set it: timedatectl")
        } else {
            add("clock", .ok, "is synchronised")
        }
    }

    private mutating func lookAtDevices() async {
        guard !configuration.devices.isEmpty else { return }
        let rules = configuration.devices
        let result: Result<[DevicesNow.Found], FeedError> = await { @LoopActor in
            do throws(FeedError) { return .success(try DevicesNow(rules).found) } catch { return .failure(error) }
        }()
        switch result {
        case .failure(let fault): add("devices", .fail, fault.description)
        case .success(let found):
            for device in found {
                let check = "device \(device.role)"
                if device.nodes.isEmpty {
                    add(
                        check, .warn, "is not plugged",
                        "plug it in, or correct its line under devices:; lsusb shows what is there")
                } else if !device.unreadable.isEmpty {
                    add(
                        check, .fail, "\(device.unreadable.joined(separator: ", ")) cannot be read by this user",
                        "it needs a line in 60-lanewatch.rules; run the doctor as the agent's user: runuser -u lanewatch --"
                    )
                } else {
                    add(check, .ok, device.nodes.joined(separator: ", "))
                }
            }
        }
    }

    private mutating func lookAtAgent() {
        guard let control = configuration.control else { return }
        switch ControlClient.ask(.state, path: control.path, timeout: .seconds(2)) {
        case .success: add("agent", .ok, "runs, and answers at \(control.path)")
        case .failure(let error):
            add("agent", .warn, error.description, "start it: systemctl start lanewatch")
        }
    }
}
