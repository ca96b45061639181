import Loop

/// Gives each visitor an attendant with an encoder of its own.
///
/// The session ends with either: a visitor that leaves drops the link, on which its attendant ends; an attendant that ends
/// closes its end, on which the gate ends the connection.
@LoopActor public final class AttendantReception: Reception {
    private let attendants: Attendants
    private let hear: @LoopActor (Notice) -> Void
    /// Who is here, and by which attendant.
    public private(set) var present: [UInt64: AttendantID] = [:]

    public enum Notice: Hashable, Sendable {
        case came(Visitor, AttendantID)
        case left(Visitor, GateEnd)
    }

    /// - Parameter hear: told of each session's beginning and end, for the audit and the notice on the lane's screen.
    public nonisolated init(_ attendants: Attendants, hear: @escaping @LoopActor (Notice) -> Void = { _ in }) {
        self.attendants = attendants
        self.hear = hear
    }

    public func admit(_ visitor: Visitor) throws(ReceptionFault) -> InnerLink {
        do throws(AdmissionError) {
            let (id, link) = try attendants.admit(controls: visitor.grant.mode == .control)
            present[visitor.id] = id
            hear(.came(visitor, id))
            return link
        } catch { throw ReceptionFault(error.description) }
    }

    public func didLeave(_ visitor: Visitor, _ end: GateEnd) {
        guard present.removeValue(forKey: visitor.id) != nil else { return }
        hear(.left(visitor, end))
    }

    /// Gives a visitor the lane's keys and pointer, or takes them away; only one whose credential allows it gets them.
    /// - Returns: whether it is so now.
    public func setControls(_ controls: Bool, of visitor: Visitor) -> Bool {
        guard let id = present[visitor.id], !controls || visitor.grant.mode == .control else { return false }
        attendants.setControls(controls, of: id)
        return true
    }
}
