import CMalloc
import Glibc

/// The lines that are written to sockets, and how a message is known again.
///
/// Lines come in pairs: the first jams a cash unit, which raises an intervention, the second clears it. A line's number is twice
/// that of its unit, and one more where it clears.
enum Lines {
    /// What one rule of ours makes of a line is one message.
    static let rules = """
        format: 1
        rules:
          - {id: jam, on: cash.jam, same: unit, severity: warning, clear_when: cash.cleared}
        """

    static func unit(_ number: Int) -> String {
        let digits = String(number / 2)
        return String(repeating: "0", count: max(0, 8 - digits.count)) + digits
    }

    /// As a POS application writes it to our agent.
    static func ours(_ number: Int) -> String {
        "{\"type\":\"\(number % 2 == 0 ? "cash.jam" : "cash.cleared")\",\"unit\":\"\(unit(number))\",\"ack\":true}\n"
    }

    private static let unitMark = Array("\"unit\":\"".utf8)
    private static let clearedMark = Array("\"state\":\"cleared\"".utf8)

    /// The number of the line that made this message.
    static func number(of value: UnsafeRawBufferPointer) -> Int? {
        guard let place = find(unitMark, in: value), place + 8 <= value.count else { return nil }
        var unit = 0
        for byte in value[place..<place + 8] {
            guard byte >= 48, byte <= 57 else { return nil }
            unit = unit * 10 + Int(byte - 48)
        }
        return unit * 2 + (find(clearedMark, in: value) == nil ? 0 : 1)
    }

    /// The place behind the first `mark`.
    private static func find(_ mark: [UInt8], in value: UnsafeRawBufferPointer) -> Int? {
        guard let base = value.baseAddress, let found = memmem(base, value.count, mark, mark.count) else { return nil }
        return found - UnsafeMutableRawPointer(mutating: base) + mark.count
    }
}

/// What forwarders are given: the very bytes that ours makes of its lines, value and headers, so that all carry as much to Kafka,
/// and as compressible.
struct Template: Sendable {
    /// By what a line does; in each the places of the unit's number.
    private let forms: [(bytes: [UInt8], places: [Int])]

    /// - Parameter samples: our messages of the line `number`, an even one, and of the next.
    init?(_ samples: [Sample], of number: Int) {
        let texts = samples.map { sample in
            var text = String(decoding: sample.value.dropLast(), as: UTF8.self) + ",\"headers\":{"
            for (place, header) in sample.headers.enumerated() {
                text += (place == 0 ? "" : ",") + "\"\(header.name)\":\"\(header.value)\""
            }
            return Array((text + "}}").utf8)
        }
        self.init(forms: texts, Lines.unit(number))
    }

    /// For `lanewatch-bench plain`: what `file` is, read again.
    init?(file: String, of number: Int) {
        self.init(forms: Text.file(file).split(separator: "\n").map { Array($0.utf8) }, Lines.unit(number))
    }

    private init?(forms texts: [[UInt8]], _ unit: String) {
        let unit = Array(unit.utf8)
        forms = texts.map { bytes in
            (bytes, (0...max(0, bytes.count - unit.count)).filter { Array(bytes[$0...].prefix(unit.count)) == unit })
        }
        guard forms.count == 2, forms.allSatisfy({ !$0.places.isEmpty }) else { return nil }
    }

    /// The two forms, a line each.
    var file: String { forms.map { String(decoding: $0.bytes, as: UTF8.self) }.joined(separator: "\n") }
    var bytes: Int { forms.reduce(0) { $0 + $1.bytes.count } / forms.count }

    /// The line `number`, without a line feed.
    func line(_ number: Int) -> [UInt8] {
        let form = forms[number % 2]
        var bytes = form.bytes
        let unit = Array(Lines.unit(number).utf8)
        for place in form.places { bytes.replaceSubrange(place..<place + unit.count, with: unit) }
        return bytes
    }
}
