/// How far two words are apart: insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
public enum EditDistance {
    public static func between(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.unicodeScalars), Array(b.unicodeScalars))
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...b.count {
                row[j] = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { row[j] = min(row[j], beforeLast[j - 2] + 1) }
            }
            (beforeLast, last) = (last, row)
        }
        return last[b.count]
    }

    /// The candidate that is at least 60 % like `word`, the first of the nearest ones; nil when none is.
    public static func nearest(to word: String, among candidates: [String]) -> String? {
        guard word.unicodeScalars.count <= 128 else { return nil }
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = between(word, candidate)
            let longest = max(word.unicodeScalars.count, candidate.unicodeScalars.count)
            guard distance * 5 <= longest * 2, distance < best?.distance ?? .max else { continue }
            best = (candidate, distance)
        }
        return best?.name
    }
}
