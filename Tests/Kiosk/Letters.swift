/// The kiosk's letters: drawn from dots of five columns and seven rows, two more below the line, which are joined to strokes with
/// round ends. So text looks well at any size, and no font has to be installed.
struct Letters: Sendable {
    /// A stroke between the middles of two dots, in dots; both the same for a point.
    struct Stroke: Hashable, Sendable {
        var x0: Float, y0: Float, x1: Float, y1: Float
    }

    struct Shape: Sendable {
        var strokes: [Stroke]
        /// In dots, from the first dot's middle to the last one's.
        var width: Float
    }

    static let shared = Letters()

    private let shapes: [Character: Shape]

    func shape(_ character: Character) -> Shape? { shapes[character] ?? shapes["?"] }

    /// In dots, gaps included.
    func width(_ text: String) -> Float {
        let widths = text.map { $0 == " " ? 2 : (shape($0)?.width ?? 4) }
        return widths.reduce(0, +) + Float(max(0, text.count - 1)) * Self.gap
    }

    static let gap: Float = 2

    private init() {
        var shapes: [Character: Shape] = [:]
        for line in Self.table.split(separator: "\n") {
            guard let character = line.first else { continue }
            let rows = line.dropFirst().split(separator: " ").compactMap { UInt8($0, radix: 16) }
            shapes[character] = Self.shape(rows, isFigure: character.isNumber)
        }
        self.shapes = shapes
    }

    /// Dots side by side or above each other are joined, and those at a corner where no other way leads from one to the other.
    private static func shape(_ rows: [UInt8], isFigure: Bool) -> Shape {
        func isSet(_ x: Int, _ y: Int) -> Bool {
            (0..<5).contains(x) && rows.indices.contains(y) && rows[y] & (16 >> UInt8(x)) != 0
        }
        var strokes: [Stroke] = []
        var columns: [Int] = []
        for y in rows.indices {
            for x in 0..<5 where isSet(x, y) {
                columns.append(x)
                var isAlone = true
                for (dx, dy) in [(1, 0), (0, 1), (1, 1), (-1, 1), (-1, 0), (0, -1), (-1, -1), (1, -1)]
                where isSet(x + dx, y + dy) {
                    let isCorner = dx != 0 && dy != 0
                    if isCorner && (isSet(x + dx, y) || isSet(x, y + dy)) { continue }
                    isAlone = false
                    // Each once, from above and from the left.
                    guard dy > 0 || (dy == 0 && dx > 0) else { continue }
                    strokes.append(Stroke(x0: Float(x), y0: Float(y), x1: Float(x + dx), y1: Float(y + dy)))
                }
                if isAlone { strokes.append(Stroke(x0: Float(x), y0: Float(y), x1: Float(x), y1: Float(y))) }
            }
        }
        // Figures are all of one width, so that prices stand below each other.
        let (first, last) = isFigure ? (0, 4) : (columns.min() ?? 0, columns.max() ?? 0)
        let moved = strokes.map {
            Stroke(x0: $0.x0 - Float(first), y0: $0.y0, x1: $0.x1 - Float(first), y1: $0.y1)
        }
        return Shape(strokes: moved, width: Float(last - first))
    }

    /// A letter and its rows from above, the leftmost dot being 10.
    private static let table = """
        A 0e 11 11 1f 11 11 11
        B 1e 11 11 1e 11 11 1e
        C 0e 11 10 10 10 11 0e
        D 1e 11 11 11 11 11 1e
        E 1f 10 10 1e 10 10 1f
        F 1f 10 10 1e 10 10 10
        G 0e 11 10 17 11 11 0e
        H 11 11 11 1f 11 11 11
        I 0e 04 04 04 04 04 0e
        J 07 02 02 02 02 12 0c
        K 11 12 14 18 14 12 11
        L 10 10 10 10 10 10 1f
        M 11 1b 15 15 11 11 11
        N 11 11 19 15 13 11 11
        O 0e 11 11 11 11 11 0e
        P 1e 11 11 1e 10 10 10
        Q 0e 11 11 11 15 12 0d
        R 1e 11 11 1e 14 12 11
        S 0e 11 10 0e 01 11 0e
        T 1f 04 04 04 04 04 04
        U 11 11 11 11 11 11 0e
        V 11 11 11 11 0a 0a 04
        W 11 11 11 15 15 15 0a
        X 11 11 0a 04 0a 11 11
        Y 11 11 0a 04 04 04 04
        Z 1f 01 02 04 08 10 1f
        Ä 0a 00 0e 11 1f 11 11
        Ö 0a 00 0e 11 11 11 0e
        Ü 0a 00 11 11 11 11 0e
        a 00 00 0e 01 0f 11 0f
        b 10 10 1e 11 11 11 1e
        c 00 00 0e 11 10 11 0e
        d 01 01 0f 11 11 11 0f
        e 00 00 0e 11 1f 10 0e
        f 06 08 08 1c 08 08 08
        g 00 00 0f 11 11 11 0f 01 0e
        h 10 10 1e 11 11 11 11
        i 04 00 0c 04 04 04 0e
        j 02 00 06 02 02 02 02 12 0c
        k 10 10 12 14 18 14 12
        l 0c 04 04 04 04 04 0e
        m 00 00 1e 15 15 15 15
        n 00 00 1e 11 11 11 11
        o 00 00 0e 11 11 11 0e
        p 00 00 1e 11 11 11 1e 10 10
        q 00 00 0f 11 11 11 0f 01 01
        r 00 00 16 18 10 10 10
        s 00 00 0f 10 0e 01 1e
        t 08 08 1c 08 08 08 06
        u 00 00 11 11 11 11 0f
        v 00 00 11 11 0a 0a 04
        w 00 00 11 11 15 15 0a
        x 00 00 11 0a 04 0a 11
        y 00 00 11 11 11 11 0f 01 0e
        z 00 00 1f 02 04 08 1f
        ä 0a 00 0e 01 0f 11 0f
        ö 0a 00 0e 11 11 11 0e
        ü 0a 00 11 11 11 11 0f
        ß 0c 12 12 14 12 11 16
        é 02 04 0e 11 1f 10 0e
        0 0e 11 11 11 11 11 0e
        1 04 0c 04 04 04 04 0e
        2 0e 11 01 02 04 08 1f
        3 0e 11 01 06 01 11 0e
        4 02 06 0a 12 1f 02 02
        5 1f 10 1e 01 01 11 0e
        6 06 08 10 1e 11 11 0e
        7 1f 01 02 04 04 08 08
        8 0e 11 11 0e 11 11 0e
        9 0e 11 11 0f 01 02 0c
        . 00 00 00 00 00 00 04
        , 00 00 00 00 00 00 04 08
        : 00 00 04 00 00 00 04
        ; 00 00 04 00 00 00 04 08
        ! 04 04 04 04 04 00 04
        ? 0e 11 01 02 04 00 04
        - 00 00 00 0e 00 00 00
        + 00 00 04 0e 04 00 00
        / 01 01 02 04 08 10 10
        ( 02 04 08 08 08 04 02
        ) 08 04 02 02 02 04 08
        ' 04 04 00 00 00 00 00
        % 18 19 02 04 08 13 03
        & 0c 12 14 08 15 12 0d
        * 00 04 15 0e 15 04 00
        # 0a 0a 1f 0a 1f 0a 0a
        = 00 00 1f 00 1f 00 00
        _ 00 00 00 00 00 00 1f
        € 06 08 1c 08 1c 08 06
        × 00 00 11 0a 04 0a 11
        · 00 00 00 04 00 00 00
        > 08 04 02 01 02 04 08
        < 02 04 08 10 08 04 02
        """
}
