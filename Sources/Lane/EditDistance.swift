/// How far two words are apart: insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
public enum EditDistance {
    public static func between(_ a: String, _ b: String) -> Int {
        var rows: [Int] = []
        return between(a.unicodeScalars.map(\.value), b.unicodeScalars.map(\.value), &rows)
    }

    /// The candidate that is at least 60 % like `word`, the first of the nearest ones; nil when none is.
    ///
    /// Quick enough for each faulty line of a busy socket: candidates that are too long or too short are not compared.
    public static func nearest(to word: String, among candidates: [String]) -> String? {
        let word = word.unicodeScalars.prefix(129).map(\.value)
        guard word.count <= 128 else { return nil }
        var best: (name: String, distance: Int)?
        var rows: [Int] = []
        for candidate in candidates {
            let scalars = candidate.unicodeScalars.map(\.value)
            let longest = max(word.count, scalars.count)
            let atLeast = abs(word.count - scalars.count)
            guard atLeast * 5 <= longest * 2, atLeast < best?.distance ?? .max else { continue }
            let distance = between(word, scalars, &rows)
            guard distance * 5 <= longest * 2, distance < best?.distance ?? .max else { continue }
            best = (candidate, distance)
        }
        return best?.name
    }

    /// `rows` is memory to work in: three rows of the table, kept between calls.
    private static func between(_ a: [UInt32], _ b: [UInt32], _ rows: inout [Int]) -> Int {
        if a.isEmpty || b.isEmpty { return max(a.count, b.count) }
        let width = b.count + 1
        if rows.count < 3 * width { rows = [Int](repeating: 0, count: 3 * width) }
        for j in 0..<width { rows[j] = j }
        for i in 1...a.count {
            // Rows i, i - 1 and i - 2 take turns in the three places.
            let (row, last, beforeLast) = (i % 3 * width, (i + 2) % 3 * width, (i + 1) % 3 * width)
            rows[row] = i
            for j in 1..<width {
                var least = rows[last + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                least = min(least, rows[last + j] + 1, rows[row + j - 1] + 1)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    least = min(least, rows[beforeLast + j - 2] + 1)
                }
                rows[row + j] = least
            }
        }
        return rows[a.count % 3 * width + width - 1]
    }
}
