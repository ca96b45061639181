import Lane
import YAML

/// A line under `given`: `45s payment.approved pay=P1`. Values are as result lines write them.
public struct GivenLine: Hashable, Sendable {
    /// After the beginning of the test, in milliseconds.
    public var after: Int64
    public var type: SignalType
    public var attributes: [Attribute]

    /// What is wrong with a line, and where: bytes from its beginning.
    public struct Fault: Error, Hashable, Sendable {
        public var message: String
        public var range: Range<Int>
        public var help: String?
    }

    public init(parsing text: String) throws(Fault) {
        var words = try LineWords(text)
        guard let time = words.next() else {
            throw Fault(message: "expected a signal: 45s payment.started pay=P1", range: 0..<text.utf8.count)
        }
        guard let after = ResultLine.milliseconds(of: time.text) else {
            throw Fault(
                message: "a line begins with its time (45s, 500ms, 2m), not \(Shown.quoted(time.text))",
                range: time.range)
        }
        self.after = after
        guard let name = words.next() else {
            throw Fault(message: "a signal is missing after \(Shown.quoted(time.text))", range: time.range)
        }
        guard let type = SignalType(name.text) else {
            let names = SignalCatalogue.shipped.entries.map(\.name)
            let near = EditDistance.nearest(to: name.text, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            throw Fault(message: "no signal \(Shown.quoted(name.text))\(near)", range: name.range)
        }
        self.type = type
        attributes = []
        while let word = words.next() {
            let attribute = try Self.attribute(word, type)
            if attributes.contains(where: { $0.name == attribute.name }) {
                throw Fault(message: "\"\(attribute.name.name)\" stands twice", range: word.range)
            }
            attributes.append(attribute)
        }
    }

    private static func attribute(_ word: LineWords.Word, _ type: SignalType) throws(Fault) -> Attribute {
        guard let (name, value, isQuoted) = word.assignment else {
            throw Fault(message: "expected an attribute: name=value, not \(Shown.quoted(word.text))", range: word.range)
        }
        let entry = SignalCatalogue.shipped[type]
        guard let known = AttributeName(name), let declared = entry.declared(known) else {
            let names = entry.attributes.map(\.name.name)
            let near = EditDistance.nearest(to: name, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
            throw Fault(
                message: "signal \"\(entry.name)\" has no attribute \(Shown.quoted(name))\(near)",
                range: word.range.lowerBound..<word.range.lowerBound + name.utf8.count,
                help: names.isEmpty ? "it has none" : "it has: " + names.joined(separator: ", "))
        }
        if declared.kind == .text { return Attribute(known, .text(value)) }
        guard !isQuoted, let number = Int64(value) else {
            throw Fault(message: "\"\(name)\" is a whole number, not \(Shown.quoted(value))", range: word.range)
        }
        return Attribute(known, .int(number))
    }
}

/// The words of a line, between blanks; a JSON string may stand after `=` and hold blanks.
struct LineWords {
    struct Word {
        var text: String
        var range: Range<Int>
        /// `name=value`, with what the value says where it is quoted.
        var assignment: (name: String, value: String, isQuoted: Bool)?
    }

    private var words: ArraySlice<Word>

    mutating func next() -> Word? { words.popFirst() }
    var rest: [Word] { Array(words) }

    init(_ text: String) throws(GivenLine.Fault) {
        let bytes = Array(text.utf8)
        var found: [Word] = []
        var place = 0
        while place < bytes.count {
            if bytes[place] == 0x20 || bytes[place] == 0x09 {
                place += 1
                continue
            }
            let start = place
            var equals: Int?
            var value: String?
            while place < bytes.count, bytes[place] != 0x20, bytes[place] != 0x09 {
                if equals == nil, bytes[place] == UInt8(ascii: "=") {
                    equals = place
                    if place + 1 < bytes.count, bytes[place + 1] == UInt8(ascii: "\"") {
                        let (text, end) = try Self.quoted(bytes, place + 1)
                        value = text
                        place = end
                        continue
                    }
                }
                if value != nil {
                    throw GivenLine.Fault(message: "a blank is missing after the closing quote", range: start..<place)
                }
                place += 1
            }
            var word = Word(text: String(decoding: bytes[start..<place], as: UTF8.self), range: start..<place)
            if let equals {
                let name = String(decoding: bytes[start..<equals], as: UTF8.self)
                let bare = String(decoding: bytes[(equals + 1)..<place], as: UTF8.self)
                if value != nil || !bare.isEmpty { word.assignment = (name, value ?? bare, value != nil) }
            }
            found.append(word)
        }
        words = found[...]
    }

    private static func quoted(_ bytes: [UInt8], _ start: Int) throws(GivenLine.Fault) -> (String, Int) {
        let result: Result<(String, Int), JSONFault> = bytes.withUnsafeBytes { buffer in
            var scanner = JSONScanner(buffer, at: start)
            do throws(JSONFault) {
                let text = try scanner.string()
                return .success((text, scanner.position))
            } catch { return .failure(error) }
        }
        switch result {
        case .success(let found): return found
        case .failure(let fault):
            throw GivenLine.Fault(message: fault.message, range: start..<bytes.count)
        }
    }
}
