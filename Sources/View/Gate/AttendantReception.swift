import Loop

/// Gives each visitor an attendant with an encoder of its own.
///
/// The session ends with either: a visitor that leaves drops the link, on which its attendant ends; an attendant that ends
/// closes its end, on which the gate ends the connection.
@LoopActor public final class AttendantReception: Reception {
    private let attendants: Attendants
    private let note: @LoopActor (Notice) -> Void
    /// Who is here, and by which attendant.
    public private(set) var present: [UInt64: AttendantID] = [:]

    public enum Notice: Hashable, Sendable {
        case came(Visitor, AttendantID)
        case left(Visitor, GateEnd)
        /// News would reach it now.
        case entered(Visitor)
        /// A page says something.
        case said(Visitor, [UInt8])
    }

    /// - Parameter hear: told of each session's beginning and end, for the audit and the notice on the lane's screen.
    public nonisolated init(_ attendants: Attendants, hear: @escaping @LoopActor (Notice) -> Void = { _ in }) {
        self.attendants = attendants
        note = hear
    }

    public func admit(_ visitor: Visitor) throws(ReceptionFault) -> InnerLink {
        do throws(AdmissionError) {
            // Who comes by the page asks for the lane's keys and pointer when they are wanted.
            let (id, link) = try attendants.admit(controls: visitor.grant.mode == .control && !visitor.isPage)
            present[visitor.id] = id
            note(.came(visitor, id))
            return link
        } catch { throw ReceptionFault(error.description) }
    }

    public func didLeave(_ visitor: Visitor, _ end: GateEnd) {
        guard present.removeValue(forKey: visitor.id) != nil else { return }
        note(.left(visitor, end))
    }

    public func didEnter(_ visitor: Visitor) { note(.entered(visitor)) }

    public func hear(_ visitor: Visitor, _ text: [UInt8]) { note(.said(visitor, text)) }

    /// Gives a visitor the lane's keys and pointer, or takes them away; only one whose credential allows it gets them.
    /// - Returns: whether it is so now.
    public func setControls(_ controls: Bool, of visitor: Visitor) -> Bool {
        guard let id = present[visitor.id], !controls || visitor.grant.mode == .control else { return false }
        attendants.setControls(controls, of: id)
        return true
    }
}
