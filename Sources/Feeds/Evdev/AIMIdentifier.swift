/// A symbology identifier: `]`, a letter, a modifier, which a scanner may put before a code.
/// Source: ISO/IEC 15424; the scanners' manuals (Datalogic Magellan 2200VS, QuickScan QD2400).
struct AIMIdentifier: Hashable {
    /// The letter and the modifier, ASCII.
    let letter: UInt8
    let modifier: UInt8

    /// How signals name it: `]E0`.
    var text: String { "]" + String(UnicodeScalar(letter)) + String(UnicodeScalar(modifier)) }

    /// Letters that ISO/IEC 15424 gives out.
    static let letters: [UInt8: String] = [
        UInt8(ascii: "A"): "Code 39", UInt8(ascii: "B"): "Telepen", UInt8(ascii: "C"): "Code 128",
        UInt8(ascii: "D"): "Code One", UInt8(ascii: "d"): "Data Matrix", UInt8(ascii: "E"): "EAN/UPC",
        UInt8(ascii: "e"): "GS1 DataBar", UInt8(ascii: "F"): "Codabar", UInt8(ascii: "G"): "Code 93",
        UInt8(ascii: "H"): "Code 11", UInt8(ascii: "I"): "Interleaved 2 of 5", UInt8(ascii: "J"): "DotCode",
        UInt8(ascii: "K"): "Code 16K", UInt8(ascii: "L"): "PDF417", UInt8(ascii: "M"): "MSI",
        UInt8(ascii: "N"): "Anker", UInt8(ascii: "O"): "Codablock", UInt8(ascii: "P"): "Plessey",
        UInt8(ascii: "Q"): "QR Code", UInt8(ascii: "R"): "Straight 2 of 5", UInt8(ascii: "S"): "Straight 2 of 5",
        UInt8(ascii: "U"): "MaxiCode", UInt8(ascii: "X"): "other", UInt8(ascii: "z"): "Aztec",
    ]

    /// Nil unless the three scalars are an identifier.
    init?(_ bracket: UInt32, _ letter: UInt32, _ modifier: UInt32) {
        guard bracket == 0x5d, let letter = UInt8(exactly: letter), Self.letters[letter] != nil,
            let modifier = UInt8(exactly: modifier), isASCIIAlphanumeric(modifier)
        else { return nil }
        self.letter = letter
        self.modifier = modifier
    }

    private init(_ letter: UInt8, _ modifier: UInt8) {
        self.letter = letter
        self.modifier = modifier
    }

    /// The content is GS1 element strings: GS1-128, DataBar, GS1 DataMatrix, GS1 QR, GS1 DotCode.
    var isGS1: Bool { Self.gs1.contains(self) }

    private static let gs1: Set<AIMIdentifier> = [
        AIMIdentifier(UInt8(ascii: "C"), UInt8(ascii: "1")), AIMIdentifier(UInt8(ascii: "e"), UInt8(ascii: "0")),
        AIMIdentifier(UInt8(ascii: "d"), UInt8(ascii: "2")), AIMIdentifier(UInt8(ascii: "Q"), UInt8(ascii: "3")),
        AIMIdentifier(UInt8(ascii: "J"), UInt8(ascii: "1")),
    ]

    /// The content is a GTIN, with an add-on where the modifier says so; `]X0` is how some scanners call an ISBN.
    var isRetail: Bool { letter == UInt8(ascii: "E") || (letter == UInt8(ascii: "X") && modifier == UInt8(ascii: "0")) }
}

func isASCIIAlphanumeric(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
}
