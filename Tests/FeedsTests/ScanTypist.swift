@testable import Feeds

/// Types on a pretended US keyboard into a decoder, with stamps of its own, and collects what comes out.
final class ScanTypist {
    let decoder: ScanDecoder
    private(set) var outcomes: [ScanDecoder.Outcome] = []
    /// The stamp of the next key, in microseconds.
    var now: Int64 = 1_000_000
    /// From key to key, in microseconds.
    var step: Int64 = 4_000

    init(_ options: ScanOptions = ScanOptions(), layout: (any KeyLayout)? = nil) {
        decoder = ScanDecoder(options: options, layout: layout ?? Self.layout(options))
    }

    static func layout(_ options: ScanOptions = ScanOptions()) -> any KeyLayout {
        guard let keymap = Keymap(layout: options.layout, variant: options.variant) else { return NoLayout() }
        return XKBLayout(keymap)
    }

    func send(_ code: UInt16, _ value: Int32) {
        if let outcome = decoder.key(code, value: value, at: now) { outcomes.append(outcome) }
    }

    func tap(_ code: UInt16, holding modifier: UInt16? = nil) {
        now += step
        if let modifier { send(modifier, 1) }
        send(code, 1)
        send(code, 0)
        if let modifier { send(modifier, 0) }
    }

    func type(_ text: String) {
        for character in text.unicodeScalars {
            if character.value < 32 {
                guard let (code, _) = Self.keys[UnicodeScalar(UInt8(character.value) + 64)] else { continue }
                tap(code, holding: KeyCode.leftControl)
            } else if let (code, shift) = Self.keys[UnicodeScalar(Character(character).lowercased()) ?? character] {
                let isUpper = (65...90).contains(character.value)
                tap(code, holding: shift || isUpper ? KeyCode.leftShift : nil)
            }
        }
    }

    func typeByAlt(_ text: String) {
        for character in text.unicodeScalars {
            now += step
            send(KeyCode.numLock, 1)
            send(KeyCode.numLock, 0)
            send(KeyCode.leftAlt, 1)
            for digit in "0\(character.value)".utf8 {
                let code: [UInt16] = [82, 79, 80, 81, 75, 76, 77, 71, 72, 73]
                send(code[Int(digit - 48)], 1)
                send(code[Int(digit - 48)], 0)
            }
            send(KeyCode.leftAlt, 0)
            send(KeyCode.numLock, 1)
            send(KeyCode.numLock, 0)
        }
    }

    func enter() { tap(KeyCode.enter) }

    func wait(_ microseconds: Int64) {
        now += microseconds
        if let outcome = decoder.settle(at: now) { outcomes.append(outcome) }
    }

    /// Takes the outcomes, each as one line: `4006381333931 ]E0 ok`, `card`, `rejected slow`.
    func take() -> [String] {
        defer { outcomes = [] }
        return outcomes.map { outcome in
            switch outcome {
            case .code(let code): return "\(code.text) \(code.aim?.text ?? "-") \(code.check.rawValue)"
            case .card: return "card"
            case .cardTail: return "tail"
            case .rejected(let reason): return "rejected \(reason.rawValue)"
            }
        }
    }

    /// Key and whether Shift is held, by character.
    static let keys: [UnicodeScalar: (UInt16, Bool)] = {
        var keys: [UnicodeScalar: (UInt16, Bool)] = [" ": (57, false)]
        let rows: [(String, UInt16, Bool)] = [
            ("1234567890-=", 2, false), ("!@#$%^&*()_+", 2, true), ("qwertyuiop[]", 16, false), ("{}", 26, true),
            ("asdfghjkl;'`", 30, false), (":\"~", 39, true), ("\\zxcvbnm,./", 43, false), ("|", 43, true),
            ("<>?", 51, true),
        ]
        for (characters, first, shift) in rows {
            for (offset, character) in characters.unicodeScalars.enumerated() {
                keys[character] = (first + UInt16(offset), shift)
            }
        }
        for letter in 65...90 {
            guard let upper = UnicodeScalar(letter), let lower = UnicodeScalar(letter + 32) else { continue }
            keys[upper] = keys[lower]
        }
        return keys
    }()
}

/// A layout that types nothing.
final class NoLayout: KeyLayout {
    func press(_ code: UInt16) -> KeyText { KeyText(scalar: 0) }
    func release(_ code: UInt16) {}
    func reset() {}
}
