/// Where a screen changed: a bounded list of rectangles that may overlap, and cover at least all of it.
///
/// Past `limit` those whose union wastes least are put together, so that a storm of small changes costs no memory and a reader
/// that is slow finds one answer, not a queue.
public struct Damage: Hashable, Sendable {
    public static let limit = 60

    public private(set) var rects: [PixelRect] = []

    public init() {}
    public init(_ rect: PixelRect) { add(rect) }

    public var isEmpty: Bool { rects.isEmpty }
    /// In pixels, those that overlap counted twice.
    public var area: Int { rects.reduce(0) { $0 + $1.area } }
    public var bounds: PixelRect { rects.reduce(.empty) { $0.union($1) } }

    public mutating func add(_ rect: PixelRect) {
        guard !rect.isEmpty, !rects.contains(where: { $0.contains(rect) }) else { return }
        rects.removeAll { rect.contains($0) }
        rects.append(rect)
        if rects.count > Self.limit { merge() }
    }

    public mutating func add(_ other: Damage) { for rect in other.rects { add(rect) } }

    public mutating func removeAll() { rects.removeAll(keepingCapacity: true) }

    /// What of it lies within `bounds`.
    public func clipped(to bounds: PixelRect) -> Damage {
        var found = Damage()
        for rect in rects { found.add(rect.intersection(bounds)) }
        return found
    }

    /// Puts the last one together with the one that wastes least by it.
    private mutating func merge() {
        guard let last = rects.popLast() else { return }
        var best: (place: Int, waste: Int)?
        for (place, rect) in rects.enumerated() {
            let waste = rect.union(last).area - rect.area - last.area
            if best.map({ waste < $0.waste }) ?? true { best = (place, waste) }
        }
        guard let best else { return rects.append(last) }
        add(rects.remove(at: best.place).union(last))
    }
}
