import Lane

/// The moment at which a rule came nearest to raising without doing so.
struct NearMiss: Sendable {
    /// Higher is nearer: 3 would have raised but for a guard, 2 lacked one condition, 1 to 2 had come part of the way, less
    /// did not count.
    var rank: Double
    var text: String

    /// The nearest of `notes`, which are of one rule and lane in order; of equals the last.
    ///
    /// - Parameter isAtOnce: the rule is of shape A: one signal would have been enough.
    static func nearest(of notes: [Note], isAtOnce: Bool, _ times: ExplainedTimes) -> NearMiss? {
        var search = Search(times: times, isAtOnce: isAtOnce)
        for note in notes { search.take(note) }
        search.settleAll()
        return search.best
    }
}

private struct Search {
    let times: ExplainedTimes
    let isAtOnce: Bool
    var best: NearMiss?
    /// C: how far each key has come; settled when it begins again, forgotten when it raises.
    private var counts: [[KeyPart]: (count: Int, miss: NearMiss)] = [:]
    /// In which order the keys came, so that a result never depends on a dictionary's order.
    private var keys: [[KeyPart]] = []

    init(times: ExplainedTimes, isAtOnce: Bool) {
        self.times = times
        self.isAtOnce = isAtOnce
    }

    mutating func offer(_ rank: Double, _ text: String) { offer(NearMiss(rank: rank, text: text)) }

    mutating func offer(_ miss: NearMiss) {
        if let best, best.rank > miss.rank { return }
        best = miss
    }

    mutating func settleAll() {
        for key in keys { settle(key) }
        keys = []
    }

    mutating func settle(_ key: [KeyPart]) {
        if let gone = counts.removeValue(forKey: key) { offer(gone.miss) }
    }

    mutating func take(_ note: Note) {
        let subject = note.key.isEmpty ? "" : " for \(note.key.text)"
        let when = times.moment(note.at)
        let cause = note.cause?.signal.type.name
        switch note.kind {
        case .counted(let count):
            if count.count < count.wanted {
                take(count, note.key, subject, when)
            } else {
                counts[note.key] = nil
            }
        case .emptied: settle(note.key)
        case .answered(let waited, let left):
            offer(
                Self.part(waited, left),
                "\(waitedText(waited, left))\(subject), then \(cause ?? "an answer") at \(when)\(Self.before(left, times))"
            )
        case .ended(let waited, let left), .restarted(let waited, let left, _):
            // The restart of a wait that has raised is no miss.
            guard waited + left > 0 else { return }
            offer(
                Self.part(waited, left),
                "\(waitedText(waited, left)), then \(cause ?? "its end") at \(when)\(Self.before(left, times))")
        case .guardClosed, .noKey:
            offer(isAtOnce ? 2 : 0.9, "\(cause ?? "") at \(when): \(note.kind.text(times))")
        case .mismatch(.on, _):
            offer(isAtOnce ? 0.5 : 0.4, "\(cause ?? "") at \(when): \(note.kind.text(times))")
        case .dropped(_, let progress):
            counts[note.key] = nil
            let rank: Double
            switch progress {
            case .waited(let waited, let left): rank = Self.part(waited, left)
            case .counted(let count, let wanted): rank = 1 + Double(count) / Double(max(1, wanted))
            }
            offer(rank, "at \(when)\(subject): \(note.kind.text(times))")
        case .inCooldown, .silenced, .outsideHours, .muted, .tooManyActive:
            counts[note.key] = nil
            offer(3, "at \(when)\(subject): \(note.kind.text(times))")
        case .raised, .repeated: counts[note.key] = nil
        default: break
        }
    }

    private mutating func take(_ count: Note.Count, _ key: [KeyPart], _ subject: String, _ when: String) {
        let by = times.moment(count.oldest.advanced(byMilliseconds: count.within))
        let missing = count.wanted - count.count
        let rest = missing == 1 ? "a \(Words.ordinal(count.wanted))" : "\(missing) more"
        let within = times.duration(count.within)
        let text: String
        var rank = 1 + Double(count.count) / Double(count.wanted)
        if let slow = count.tooSlow {
            text = "\(count.wanted)\(subject) at \(when), but in \(times.duration(slow)), not within \(within)"
            rank = max(
                rank, 1 + (Double(count.wanted - 1) + Double(count.within) / Double(slow)) / Double(count.wanted))
        } else {
            text =
                "\(count.count) of \(count.wanted) within \(within)\(subject) at \(when); \(rest) by \(by) would have raised it"
        }
        if let known = counts[key], known.count >= count.count { settle(key) }
        let known = counts[key]?.miss
        let miss = NearMiss(rank: rank, text: text)
        if counts[key] == nil, !keys.contains(key) { keys.append(key) }
        counts[key] = (count.count, (known?.rank ?? 0) > rank ? known ?? miss : miss)
    }

    private func waitedText(_ waited: Int64, _ left: Int64) -> String {
        "\(times.duration(waited)) of \(times.duration(waited + left))"
    }

    private static func part(_ waited: Int64, _ left: Int64) -> Double {
        1 + Double(waited) / Double(max(1, waited + left))
    }

    private static func before(_ left: Int64, _ times: ExplainedTimes) -> String {
        left == 0 ? ", in the very last moment" : ", \(times.duration(left)) before it would have raised"
    }
}
