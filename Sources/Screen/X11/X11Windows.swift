import CXCB
import Glibc

/// Where the windows that masks follow are on an X server's screen.
///
/// Found by a walk through the window tree, anew after each event that tells of another place, name or window: few windows
/// stand on a till, and the walk is one exchange for each level of 64. Lives on the capture thread.
/// Sources: X Window System Protocol, events of SubstructureNotify and PropertyNotify; ICCCM 4.1.2 (WM_CLASS, WM_NAME); Extended
/// Window Manager Hints (_NET_WM_NAME).
struct X11Windows {
    /// From the root: a window manager's frame, what it draws around, the program's own window, and one to spare.
    private static let deepest = 4
    /// More are not looked at: then it is not known where any is.
    private static let most = 2048
    private static let atOnce = 64
    /// How long a place stays hidden that a window has left: what lies below is painted by another program, in its own time, and the window's
    /// pixels may stand there until it is. Nanoseconds.
    static let lingering: Int64 = 500_000_000

    let matches: Set<MaskPlan.WindowMatch>
    /// Something has happened to windows since the last walk began.
    var isStale = true
    /// Whether the places that are known are those of the pixels that are known.
    var isSettled = false
    private var places: [MaskPlan.WindowMatch: [PixelRect]]?
    private var left: [Left] = []
    private let names: Names

    private struct Left {
        var match: MaskPlan.WindowMatch
        var place: PixelRect
        var until: Int64
    }

    struct Names {
        var windowClass: xcb_atom_t { XCB_ATOM_WM_CLASS.rawValue }
        var title: xcb_atom_t { XCB_ATOM_WM_NAME.rawValue }
        var newTitle: xcb_atom_t
        var all: [xcb_atom_t] { [windowClass, title, newTitle] }
    }

    /// A window whose children are asked for.
    private struct Node {
        var window: xcb_window_t
        /// Of the parent's inside, in the root's coordinates.
        var x: Int
        var y: Int
    }

    /// Has the server tell of windows from now on. Nil where no mask follows one.
    init?(_ x: X11Connection, _ matches: Set<MaskPlan.WindowMatch>) throws(ScreenError) {
        guard !matches.isEmpty else { return nil }
        self.matches = matches
        let name = "_NET_WM_NAME"
        let cookie = xcb_intern_atom(x.raw, 0, UInt16(name.utf8.count), name)
        let reply = try x.reply(cookie.sequence, as: xcb_intern_atom_reply_t.self)
        names = Names(newTitle: reply?.value.atom ?? 0)
        x.watchedNames = Set(names.all)
        let structure = XCB_EVENT_MASK_STRUCTURE_NOTIFY.rawValue | XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY.rawValue
        xcb_change_window_attributes(x.raw, x.root, XCB_CW_EVENT_MASK.rawValue, [structure])
    }

    /// When a place that was left need not be hidden any more; nil where none is.
    var nextEnd: Int64? { left.map(\.until).min() }

    /// What masks go by: every match, though it has no window; nothing where it is not known.
    func places(in area: PixelRect, now: Int64) -> WindowPlaces {
        guard isSettled, let places else { return .unknown }
        var found = places
        for one in left where one.until > now { found[one.match, default: []].append(one.place) }
        return WindowPlaces(found.mapValues { $0.map { $0.offset(x: -area.x, y: -area.y) } })
    }

    mutating func forget(before now: Int64) { left.removeAll { $0.until <= now } }

    /// Walks through the tree.
    mutating func walk(_ x: X11Connection, now: Int64) throws(ScreenError) {
        isStale = false
        isSettled = false
        var found: [MaskPlan.WindowMatch: [PixelRect]] = [:]
        for match in matches { found[match] = [] }
        var level = try children(of: [Node(window: x.root, x: 0, y: 0)], x)
        var count = 0
        for depth in 1...Self.deepest where !level.isEmpty {
            count += level.count
            guard count <= Self.most else {
                places = nil
                return
            }
            var shown: [Node] = []
            for start in stride(from: 0, to: level.count, by: Self.atOnce) {
                let part = level[start..<min(start + Self.atOnce, level.count)]
                try look(at: part, x, &found, &shown)
            }
            level = depth < Self.deepest ? try children(of: shown, x) : []
        }
        for (match, former) in places ?? [:] {
            for place in former where !(found[match]?.contains(place) ?? false) {
                left.append(Left(match: match, place: place, until: now + Self.lingering))
            }
        }
        // A window that is moved without an end leaves no more than this.
        if left.count > Self.atOnce { left.removeFirst(left.count - Self.atOnce) }
        places = found
    }

    private func children(of parents: [Node], _ x: X11Connection) throws(ScreenError) -> [Node] {
        var nodes: [Node] = []
        for start in stride(from: 0, to: parents.count, by: Self.atOnce) {
            let part = parents[start..<min(start + Self.atOnce, parents.count)]
            let asked = part.map { ($0, xcb_query_tree(x.raw, $0.window).sequence) }
            for (parent, sequence) in asked {
                guard let reply = try x.reply(sequence, as: xcb_query_tree_reply_t.self) else { continue }
                let windows = UnsafeBufferPointer(
                    start: xcb_query_tree_children(reply.pointer),
                    count: Int(xcb_query_tree_children_length(reply.pointer)))
                for window in windows.prefix(Self.most + 1) {
                    nodes.append(Node(window: window, x: parent.x, y: parent.y))
                }
            }
        }
        return nodes
    }

    private struct Asked {
        var node: Node
        var attributes: UInt32
        var geometry: UInt32
        var names: [UInt32]
    }

    /// Asks for all of a window at once; those that are on the screen go to `shown`, with the place of their inside.
    private func look(
        at nodes: ArraySlice<Node>, _ x: X11Connection, _ found: inout [MaskPlan.WindowMatch: [PixelRect]],
        _ shown: inout [Node]
    ) throws(ScreenError) {
        let events = XCB_EVENT_MASK_SUBSTRUCTURE_NOTIFY.rawValue | XCB_EVENT_MASK_PROPERTY_CHANGE.rawValue
        var asked: [Asked] = []
        for node in nodes {
            // Before it is asked for anything: a change that the answers do not have comes as an event.
            xcb_change_window_attributes(x.raw, node.window, XCB_CW_EVENT_MASK.rawValue, [events])
            asked.append(
                Asked(
                    node: node, attributes: xcb_get_window_attributes(x.raw, node.window).sequence,
                    geometry: xcb_get_geometry(x.raw, node.window).sequence,
                    names: names.all.map { xcb_get_property(x.raw, 0, node.window, $0, 0, 0, 256).sequence }))
        }
        for one in asked {
            let attributes = try x.reply(one.attributes, as: xcb_get_window_attributes_reply_t.self)
            let geometry = try x.reply(one.geometry, as: xcb_get_geometry_reply_t.self)
            var names: [[UInt8]] = []
            for sequence in one.names { names.append(try property(sequence, x)) }
            // Gone by now, or not on the screen: then nothing in it is.
            guard let attributes, let geometry, attributes.value.map_state == XCB_MAP_STATE_VIEWABLE.rawValue,
                attributes.value._class != XCB_WINDOW_CLASS_INPUT_ONLY.rawValue
            else { continue }
            let border = Int(geometry.value.border_width)
            let (left, top) = (one.node.x + Int(geometry.value.x), one.node.y + Int(geometry.value.y))
            let place = PixelRect(
                x: left, y: top, width: Int(geometry.value.width) + 2 * border,
                height: Int(geometry.value.height) + 2 * border)
            for match in matches where Self.fits(match, names) { found[match, default: []].append(place) }
            shown.append(Node(window: one.node.window, x: left + border, y: top + border))
        }
    }

    private func property(_ sequence: UInt32, _ x: X11Connection) throws(ScreenError) -> [UInt8] {
        guard let reply = try x.reply(sequence, as: xcb_get_property_reply_t.self), reply.value.format == 8,
            let bytes = xcb_get_property_value(reply.pointer)
        else { return [] }
        return Array(UnsafeRawBufferPointer(start: bytes, count: Int(xcb_get_property_value_length(reply.pointer))))
    }

    /// - Parameter names: WM_CLASS, instance and class each with a zero behind it; WM_NAME in Latin-1; _NET_WM_NAME in UTF-8.
    static func fits(_ match: MaskPlan.WindowMatch, _ names: [[UInt8]]) -> Bool {
        guard names.count == 3 else { return false }
        switch match {
        case .windowClass(let name): return names[0].split(separator: 0).contains { $0.elementsEqual(name.utf8) }
        case .title(let title):
            let old = String(String.UnicodeScalarView(names[1].map { Unicode.Scalar($0) }))
            return old == title || names[2].elementsEqual(title.utf8)
        }
    }
}
