import Agent
import Glibc
import Lane
import Loop
import Net
import Screen
import Synchronization
import View

/// `lanewatch view masks`: what is hidden in a state of the lane, in words and as a picture of the screen as it is now.
struct MaskPreview {
    struct Order {
        var config = ""
        /// Nil: as the agent says now.
        var states: [String: String]?
        var isUnknown = false
        var picture: String?

        /// Reads `--config FILE [--state NAME=VALUE]… [--unknown] [--preview FILE]`; nil where it is not that.
        init?(_ words: some Sequence<String>) {
            var words = Array(words)[...]
            while let word = words.popFirst() {
                if word == "--unknown" {
                    isUnknown = true
                    continue
                }
                guard let value = words.popFirst() else { return nil }
                switch word {
                case "--config": config = value
                case "--preview": picture = value
                case "--state":
                    let sides = value.split(separator: "=", maxSplits: 1).map(String.init)
                    guard sides.count == 2 else { return nil }
                    states = (states ?? [:]).merging([sides[0]: sides[1]]) { $1 }
                default: return nil
                }
            }
            if config.isEmpty { return nil }
        }
    }

    private static let patience: Int64 = 5000

    let order: Order
    let plan: ViewPlan

    /// The exit code: 1 where the screen or the agent cannot be asked.
    func perform() -> Int32 {
        var states: [String: String?]?
        if !order.isUnknown {
            do throws(LineClientError) { states = try knownStates() } catch {
                Main.complain("lanewatch view masks: \(error); name states with --state, or ask with --unknown")
                return 1
            }
            if let named = order.states {
                let unknown = named.keys.filter { name in
                    !plan.masks.entries.contains { $0.terms.contains { $0.state == name } }
                }
                for name in unknown.sorted() {
                    Main.complain("lanewatch view masks: no mask asks for the state \(name)")
                }
            }
        }
        let mask = plan.masks.mask(states)
        say(states, mask)
        guard let picture = order.picture else { return 0 }
        do {
            let frame = try look(mask)
            try PNGFile.write(frame, to: picture)
            write("the screen, \(frame.size) pixels, as attendants would see it: \(picture)\n")
            return 0
        } catch {
            Main.complain("lanewatch view masks: \(error)")
            return 1
        }
    }

    /// Those of the command line, and of the agent where it named none.
    private func knownStates() throws(LineClientError) -> [String: String?] {
        if let named = order.states { return named.mapValues { .some($0) } }
        guard let path = plan.configuration.control?.path else { return [:] }
        return try LaneLink.states(path: path)
    }

    /// The screen behind its mask, once; windows are followed as ever.
    private func look(_ mask: Mask) throws -> MaskedFrame {
        let capture = try Capture(mask: mask, makeSource: plan.makeSource)
        defer { capture.stop() }
        let mailbox = try Mailbox()
        _ = capture.watch(mailbox)
        let end = Boottime.milliseconds() + Self.patience
        while Boottime.milliseconds() < end {
            if let problem = capture.problem { throw problem }
            // In the first look windows may not have come to rest.
            let isSettled = mask.hidesAll || !capture.mask.hidesAll
            if mailbox.hasNews, isSettled, let frame = capture.frame { return frame }
            usleep(10_000)
        }
        throw ScreenError(.unreachable, "the screen has not been told within \(Self.patience / 1000) s")
    }

    private func say(_ states: [String: String?]?, _ mask: Mask) {
        if let states {
            let told = states.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value ?? "unknown")" }
            write("while \(told.isEmpty ? "no state is named" : told.joined(separator: ", ")):\n")
        } else {
            write("while the agent does not tell the lane's state:\n")
        }
        for area in mask.areas {
            let place = area.rect.map { "\($0.width)x\($0.height) at \($0.x),\($0.y)" } ?? "all of the screen"
            write("  hidden: \(place), \(area.style.rawValue)\n")
        }
        for one in mask.followers {
            let place = one.area.rect.map { "\($0.width)x\($0.height) at \($0.x),\($0.y) of " } ?? ""
            write("  hidden: \(place)each window of \(one.window), \(one.area.style.rawValue)\n")
        }
        if mask.areas.isEmpty, mask.followers.isEmpty { write("  nothing is hidden\n") }
        for reason in mask.reasons { write("  because: \(reason)\n") }
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(1, bytes, bytes.count)
    }
}
