import Lane
import Loop
import Screen

/// Tells each page what its attendant wants to know beside the picture, as soon as it is so: what is raised on the lane, what is hidden and
/// why, who else watches, whether the lane's keys and pointer are in these hands.
///
/// News are whole: each tells all there is, so that one that was left out is never missed. The same twice is told once.
@LoopActor public final class NewsDesk {
    /// Of others, and of what is raised: as many are told, and how many there are.
    static let most = 8

    private struct Guest {
        var visitor: Visitor
        var since: WallInstant
        var controls: Bool
        /// Whether the last wish could not be granted.
        var isDenied = false
        var told: [UInt8] = []
        var isIn = false
    }

    private let label: String
    private var guests: [UInt64: Guest] = [:]
    /// Nil while the agent does not tell.
    private var open: [OpenIntervention]?
    /// What is hidden now.
    public var mask: @LoopActor () -> Mask = { .everything }
    /// Whether there is a picture of the lane's screen.
    public var hasScreen: @LoopActor () -> Bool = { true }
    /// How news leave: to a visitor who came by the page.
    public var send: @LoopActor (UInt64, [UInt8]) -> Void = { _, _ in }
    /// Gives a visitor the lane's keys and pointer, or takes them; whether it is so now.
    public var setControls: @LoopActor (Visitor, Bool) -> Bool = { _, _ in false }

    public nonisolated init(label: String) { self.label = label }

    // MARK: What happens

    public func came(_ visitor: Visitor, now: WallInstant = WallInstant(milliseconds: Boottime.wallMilliseconds())) {
        guests[visitor.id] = Guest(visitor: visitor, since: now, controls: false)
    }

    public func entered(_ visitor: Visitor) {
        guests[visitor.id]?.isIn = true
        tellAll()
    }

    public func left(_ visitor: Visitor) {
        guests[visitor.id] = nil
        tellAll()
    }

    public func set(open: [OpenIntervention]?) {
        self.open = open
        tellAll()
    }

    /// The screen came or went, or what is hidden of it is another.
    public func look() { tellAll() }

    /// Control changed hands. A page that asked for it knows already.
    public func turned(to taker: Visitor?, from loser: Visitor?) {
        if let loser { guests[loser.id]?.controls = false }
        if let taker, !taker.isPage { guests[taker.id]?.controls = true }
        tellAll()
    }

    /// A page says something: `{"do":"control","on":true}`. What is not understood is nothing.
    public func said(_ visitor: Visitor, _ text: [UInt8]) {
        guard let wish = try? JSONValue(parsing: text), wish["do"]?.text == "control", let isOn = wish["on"]?.bool,
            guests[visitor.id] != nil
        else { return }
        let isGranted = setControls(visitor, isOn)
        guests[visitor.id]?.isDenied = isOn && !isGranted
        if isGranted { guests[visitor.id]?.controls = isOn }
        tellAll()
    }

    // MARK: Telling

    private func tellAll() {
        for (id, guest) in guests where guest.visitor.isPage && guest.isIn {
            let news = news(for: guest)
            guard news != guest.told else { continue }
            guests[id]?.told = news
            send(id, news)
        }
    }

    /// What a guest is told. Source: docs/reference/page.md.
    private func news(for guest: Guest) -> [UInt8] {
        var json = JSONWriter(reserving: 512)
        json.object { json in
            json.member("lane", label)
            json.member("attendant", guest.visitor.grant.attendant)
            json.member("since", guest.since.rfc3339)
            json.member("mode", guest.controls ? "control" : "view")
            json.member("mayControl", guest.visitor.grant.mode == .control)
            json.member("denied", guest.isDenied)
            json.member("agent", open != nil)
            json.member("screen", hasScreen())
            let mask = mask()
            json.member("hidden", mask.hidesAll ? "all" : mask.areas.isEmpty ? "none" : "part")
            json.name("reasons")
            json.array { json in for reason in mask.reasons.prefix(Self.most) { json.value(reason) } }
            write(raised: guest, &json)
            write(others: guest, &json)
        }
        return json.bytes
    }

    /// The one for which the guest was sent comes first.
    private func write(raised guest: Guest, _ json: inout JSONWriter) {
        let all = open ?? []
        let own = guest.visitor.grant.intervention
        let ordered = all.filter { $0.id == own } + all.filter { $0.id != own }
        json.member("openCount", all.count)
        json.name("open")
        json.array { json in
            for one in ordered.prefix(Self.most) {
                json.object { json in
                    json.member("title", one.title)
                    json.member("severity", one.severity)
                    json.member("since", one.raisedAt)
                    json.member("mine", one.id == own)
                }
            }
        }
    }

    private func write(others guest: Guest, _ json: inout JSONWriter) {
        let others = guests.values.filter { $0.visitor.id != guest.visitor.id }.sorted { $0.visitor.id < $1.visitor.id }
        json.member("otherCount", others.count)
        json.name("others")
        json.array { json in
            for other in others.prefix(Self.most) {
                json.object { json in
                    json.member("name", other.visitor.grant.attendant)
                    json.member("mode", other.controls ? "control" : "view")
                }
            }
        }
    }
}
