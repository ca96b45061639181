/// Capital letters, digits and a few signs of 5 by 7 pixels: enough to name a lane on a picture without any font.
enum TinyFont {
    static let width = 5
    static let height = 7
    /// From one letter to the next.
    static let advance = 6

    /// The rows of `letter` from above, five bits each, the leftmost the highest. One that is not known is an empty box.
    static func rows(of letter: Character) -> [UInt8] {
        guard let place = letters.firstIndex(of: Character(letter.uppercased())) else {
            return [31, 17, 17, 17, 17, 17, 31]
        }
        let start = letters.distance(from: letters.startIndex, to: place) * height
        return Array(bits[start..<start + height])
    }

    private static let letters = Array(" 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-.:/")

    private static let bits: [UInt8] = zeroToNine + aToM + nToZ + signs

    private static let zeroToNine: [UInt8] = [
        0, 0, 0, 0, 0, 0, 0, 14, 17, 19, 21, 25, 17, 14, 4, 12, 4, 4, 4, 4, 14, 14, 17, 1, 2, 4, 8, 31,
        31, 2, 4, 2, 1, 17, 14, 2, 6, 10, 18, 31, 2, 2, 31, 16, 30, 1, 1, 17, 14, 6, 8, 16, 30, 17, 17, 14,
        31, 1, 2, 4, 8, 8, 8, 14, 17, 17, 14, 17, 17, 14, 14, 17, 17, 15, 1, 2, 12,
    ]
    private static let aToM: [UInt8] = [
        14, 17, 17, 31, 17, 17, 17, 30, 17, 17, 30, 17, 17, 30, 14, 17, 16, 16, 16, 17, 14, 30, 17, 17, 17, 17, 17, 30,
        31, 16, 16, 30, 16, 16, 31, 31, 16, 16, 30, 16, 16, 16, 14, 17, 16, 23, 17, 17, 15, 17, 17, 17, 31, 17, 17, 17,
        14, 4, 4, 4, 4, 4, 14, 7, 2, 2, 2, 2, 18, 12, 17, 18, 20, 24, 20, 18, 17, 16, 16, 16, 16, 16, 16, 31,
        17, 27, 21, 21, 17, 17, 17,
    ]
    private static let nToZ: [UInt8] = [
        17, 17, 25, 21, 19, 17, 17, 14, 17, 17, 17, 17, 17, 14, 30, 17, 17, 30, 16, 16, 16, 14, 17, 17, 17, 21, 18, 13,
        30, 17, 17, 30, 20, 18, 17, 15, 16, 16, 14, 1, 1, 30, 31, 4, 4, 4, 4, 4, 4, 17, 17, 17, 17, 17, 17, 14,
        17, 17, 17, 17, 17, 10, 4, 17, 17, 17, 21, 21, 21, 10, 17, 17, 10, 4, 10, 17, 17, 17, 17, 17, 10, 4, 4, 4,
        31, 1, 2, 4, 8, 16, 31,
    ]
    private static let signs: [UInt8] = [
        0, 0, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0, 12, 12, 0, 12, 12, 0, 12, 12, 0, 0, 1, 2, 4, 8, 16, 0,
    ]
}
