import Lane
import Rules
import YAML

/// `view:` of the configuration: what attendants may see of the lane's screen, and how they come to it. The agent itself only
/// checks it; `lanewatch-view` goes by it.
public struct ViewSettings: Sendable {
    /// A part of the screen that is hidden while something is so.
    public struct Mask: Sendable {
        public enum Style: String, Sendable, CaseIterable {
            case black, blur
        }

        public enum Window: Hashable, Sendable {
            case windowClass(String)
            case title(String)
        }

        /// The condition as it is written, and where; nil hides always.
        public var condition: YAMLNode?
        /// The windows that it follows: by WM_CLASS, either part of it, or by their title; nil is the screen.
        public var window: Window?
        /// x, y, width, height in pixels, of the window where there is one; nil is all of it.
        public var area: [Int]?
        public var style = Style.black
        /// Why, in the file's own words; nil: the condition says it.
        public var reason: String?
    }

    public enum Mode: String, Sendable, CaseIterable {
        case view, control
    }

    /// A password that many share.
    public struct Password: Sendable {
        public var file: String
        public var mode: Mode
        public var range: SourceRange
    }

    /// Programs with their arguments that are started when a session begins, takes control, ends; empty is none.
    public struct Hooks: Sendable {
        public var open: [String] = []
        public var control: [String] = []
        public var close: [String] = []
    }

    /// What stands on the lane's screen while somebody watches.
    public struct ScreenNotice: Sendable {
        public var viewed = "This lane is being viewed by an attendant"
        public var controlled = "This lane is being controlled by an attendant"
        public var isAtBottom = false
    }

    /// As `DISPLAY`; nil takes the environment's.
    public var display: String?
    /// As `XAUTHORITY`.
    public var authority: String?
    /// One output of several by its name; nil shows all of the screen.
    public var output: String?
    /// RFB over TCP; nil is off.
    public var rfb: Configuration.Listen? = .init(address: "127.0.0.1", port: 5900)
    /// The page, and RFB in a WebSocket; nil is off.
    public var https: Configuration.Listen? = .init(address: "127.0.0.1", port: 5843)
    /// Names of this lane's page in other pages' links, beside the lane's own: `console.example.com`.
    public var origins: [String] = []
    /// Whether more than tokens is open beyond loopback.
    public var allowsRemote = false
    /// Files with public keys of those who make tokens.
    public var tokenKeys: [(path: String, range: SourceRange)] = []
    public var password: Password?
    /// What everybody may do without a word; nil is nothing.
    public var everybody: Mode?
    /// Files with the lane's certificate and key; nil: made at the first start, below the state folder.
    public var certificate: String?
    public var key: String?
    public var masks: [Mask] = []
    /// Whether all is black while the lane's state is not known.
    public var hidesUnknown = true
    /// Milliseconds without a sign of the viewer, and in all.
    public var idle: Int64 = 3_600_000
    public var longest: Int64 = 8 * 3_600_000
    /// Milliseconds without a connection after which a view that its sockets started ends; it stays where it was started by hand.
    public var linger: Int64 = 60_000
    /// Most attendants at once.
    public var attendants = 16
    /// Milliseconds that a session goes on after its intervention was closed.
    public var closeGrace: Int64 = 10_000
    public var hooks = Hooks()
    /// Nil is off.
    public var notice: ScreenNotice? = ScreenNotice()
    /// The view's own control socket; nil is off.
    public var control: Configuration.Control? = ViewSettings.standardControl

    public static var standardControl: Configuration.Control {
        var control = Configuration.Control()
        control.path = "/run/lanewatch-view/control.sock"
        control.mode = 0o660
        return control
    }

    public init() {}

    // MARK: Masks and the rules' states

    /// A mask whose condition is read: all of its terms must be so.
    public struct Resolved: Sendable {
        public var mask: Mask
        public var terms: [StateConditions.Term]
        public var reason: String
    }

    /// The masks with their conditions, and what is wrong with these: states are those of the rules.
    public func resolve(_ rules: RuleSet, _ source: SourceText) -> (masks: [Resolved], diagnostics: [Diagnostic]) {
        let findings = Findings(source)
        let conditions = StateConditions(rules, findings)
        var resolved: [Resolved] = []
        for mask in masks {
            guard let node = mask.condition else {
                resolved.append(Resolved(mask: mask, terms: [], reason: mask.reason ?? "always"))
                continue
            }
            guard let terms = conditions.terms("while", node) else { continue }
            resolved.append(
                Resolved(mask: mask, terms: terms, reason: mask.reason ?? node.scalar?.text ?? "the lane's state"))
        }
        return (resolved, findings.inLineOrder)
    }
}
