/// Which screen of which X server: what an operator configures.
public struct X11Screen: Hashable, Sendable {
    /// As in the variable DISPLAY, which holds where this is nil: `:0`.
    public var display: String?
    /// The authority file. Nil: that of the variable XAUTHORITY, else `.Xauthority` in the home folder.
    public var authority: String?
    /// The RandR name of one output, such as `HDMI-1`, where not all of the screen is meant.
    public var output: String?

    public init(display: String? = nil, authority: String? = nil, output: String? = nil) {
        self.display = display
        self.authority = authority
        self.output = output
    }
}

/// How long an X server may take before it counts as frozen, in nanoseconds.
struct X11Patience: Hashable {
    /// Until it has let us in.
    var connecting: Int64 = 2_000_000_000
    /// For an answer on this machine, which takes some ten microseconds.
    var local: Int64 = 1_000_000_000
    /// For one over a network.
    var remote: Int64 = 5_000_000_000
}
