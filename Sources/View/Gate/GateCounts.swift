import Loop

/// Why a connection ended; the raw values are labels of metrics and fields of the log.
public enum GateEnd: String, Hashable, Sendable, CaseIterable {
    /// The client closed.
    case closed
    /// A wrong credential, or a way in that is not open.
    case refused
    /// More attendants than there may be: in all, of an address, of an account.
    case full
    /// Not let in within its time.
    case expired
    /// The oldest of too many that were not let in.
    case evicted
    /// No RFB, HTTP, WebSocket or TLS, or a message that no viewer sends.
    case garbage
    /// Half a message, then silence.
    case halfMessage = "half_message"
    /// Nothing reached the peer for too long.
    case stalled
    /// More bytes waited than may.
    case overrun
    /// More pings than may be.
    case flooded
    case idle
    /// The longest time for a session is over.
    case maximum
    /// The attendant's encoder ended.
    case attendantEnded = "attendant_ended"
    /// By `Gate.end`, or with the gate.
    case ended
    /// Its page came back on another connection.
    case replaced
    /// The machine has no room for it.
    case noRoom = "no_room"
    /// An answer was given, and that was all.
    case answered
}

/// What the gate did. At any time `connections == open + the sum of ends`.
public struct GateCounts: Hashable, Sendable {
    public var connections = 0
    public var open = 0
    /// Of the open ones, those that were not let in yet.
    public var waiting = 0
    public var ends: [GateEnd: Int] = [:]
    /// Who was let in, and of them who is here.
    public var visitors = 0
    public var present = 0
    /// Requests for pages.
    public var pages = 0
    /// Of those let in: bytes of messages that went in, bytes that went out.
    public var bytesIn = 0
    public var bytesOut = 0
    /// How often reading from a client rested because it sent too many messages.
    public var rests = 0
    /// News that pages were sent, news that newer ones made needless before they could be, and what pages said.
    public var news = 0
    public var newsReplaced = 0
    public var wishes = 0
    /// Pages that came back into a session that they had lost.
    public var resumed = 0
}

/// A sentence for the log, the same each time, and what is particular.
public struct GateRemark: Hashable, Sendable {
    public var message: String
    public var fields: [String: String]
    /// How many of its kind were left out since the last one.
    public var suppressed: Int
}

/// Somebody who was let in.
public struct Visitor: Hashable, Sendable {
    /// From 1 on, never used again by this process.
    public var id: UInt64
    public var grant: Grant
    /// Numeric, without the port.
    public var address: String
    public var isEncrypted: Bool
    /// Through a WebSocket; else RFB over TCP.
    public var isWebSocket: Bool
    /// By our own page: it is told news (`Gate.tell(_:news:)`), may say something itself, and begins by watching.
    public var isPage = false
}

/// Why nobody can be shown the screen now; one sentence for the log.
public struct ReceptionFault: Error, Hashable, Sendable, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// What stands behind the gate: gives each visitor an attendant.
@LoopActor public protocol Reception: AnyObject, Sendable {
    /// Why nobody may be let in now, in words for the visitor; nil where one may. Asked before a credential is judged, and so spent.
    var refusal: String? { get }
    /// `visitor` has passed, and is let in once `ready` was called without a fault: once, now or later. Whoever was expected without a
    /// fault leaves (`didLeave`), also if it was never admitted.
    func expect(_ visitor: Visitor, ready: @escaping @LoopActor (ReceptionFault?) -> Void)
    /// Makes an attendant for `visitor`; the gate's end of its socket pair is what it returns.
    func admit(_ visitor: Visitor) throws(ReceptionFault) -> InnerLink
    /// The visitor's link was dropped.
    func didLeave(_ visitor: Visitor, _ end: GateEnd)
    /// The visitor is in: bytes go to and fro, and news reach it.
    func didEnter(_ visitor: Visitor)
    /// A page says something: at most `GateConnection.textBytes` bytes of UTF-8, unchecked beyond that.
    func hear(_ visitor: Visitor, _ text: [UInt8])
}

extension Reception {
    public func didEnter(_ visitor: Visitor) {}
    public func hear(_ visitor: Visitor, _ text: [UInt8]) {}
}

extension Reception {
    public var refusal: String? { nil }
    public func expect(_ visitor: Visitor, ready: @escaping @LoopActor (ReceptionFault?) -> Void) { ready(nil) }
}

/// How a visitor's session goes.
public struct VisitorStatus: Hashable, Sendable {
    public var visitor: Visitor
    /// Milliseconds of CLOCK_BOOTTIME: when its last byte came.
    public var heard: Int64
    /// Of its messages, and of what it was shown.
    public var bytesIn: Int
    public var bytesOut: Int
    /// The encoding of pictures that it likes best; nil before it said so.
    public var encoding: Int32?
}
