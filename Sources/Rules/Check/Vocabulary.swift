import Lane
import YAML

/// All names that the files of one set declare. Names are global and order-free: all are known before the first is used.
final class Vocabulary {
    var params = NameTable<ParamDeclaration>("parameter")
    /// The elements as they are written; a kind they have only where they are used.
    var lists = NameTable<[String]>("list")
    var states = NameTable<StateNames>("state")
    var rules = NameTable<Void>("rule")

    /// Values after "=" in the matches of one set, at most, a list's counted each time it is used: what a set costs in memory
    /// is bounded, however small its files are.
    static let maximumValues = 200_000
    /// So many are named so far.
    var values = 0

    /// A file could not be read: what is not known may stand there, so nobody is told that it does not exist.
    var isIncomplete = false
}

/// Nil values: the declaration is faulty, and was reported; whoever uses the name says nothing more.
struct ParamDeclaration {
    var value: ParamValue?
    /// As it is written.
    var text: String

    /// `is a duration (45s)`, `is a count (3)`.
    var phrase: String {
        switch value {
        case .count: return "is a count (\(Shown.plain(text)))"
        default: return "is a duration (\(Shown.plain(text)))"
        }
    }
}

struct StateNames {
    /// The place in `RuleSet.states`.
    var place: Int
    /// In the order of the file; nil where the declaration is faulty.
    var values: [String]?
}

/// Names of one kind, where each is declared, and whether anyone uses it.
struct NameTable<Value> {
    struct Entry {
        var name: String
        var value: Value
        var findings: Findings
        var range: SourceRange
        var isUsed = false
    }

    private(set) var entries: [Entry] = []
    /// In the order of declaration.
    private(set) var names: [String] = []
    private var places: [String: Int] = [:]
    private let noun: String

    init(_ noun: String) { self.noun = noun }

    subscript(name: String) -> Value? { places[name].map { entries[$0].value } }

    func contains(_ name: String) -> Bool { places[name] != nil }

    /// The value called `name`, which is now in use.
    mutating func use(_ name: String) -> Value? {
        guard let place = places[name] else { return nil }
        entries[place].isUsed = true
        return entries[place].value
    }

    /// Reports a name that is taken, or that is none. A name that is none is declared all the same, so that its use is no second
    /// fault. False where it was taken.
    @discardableResult
    mutating func declare(_ name: String, _ value: Value, at range: SourceRange, _ findings: Findings) -> Bool {
        if let place = places[name] {
            let other = entries[place]
            let isSameFile = other.findings === findings
            let line = (isSameFile ? "on" : "in \(other.findings.source.file),") + " line \(other.range.start.line)"
            findings.error(
                "\(noun) \(Shown.quoted(name)) is already declared \(line)", at: range,
                help: isSameFile
                    ? nil : "a later file may only add; other numbers for some lanes go under lanes:")
            return false
        }
        if !isName(name) {
            findings.error(
                "\(Shown.quoted(name)) cannot be the name of a \(noun)", at: range,
                help: "names are of letters a-z and A-Z, digits, \"_\" and \"-\", and do not begin with \"-\"")
        }
        places[name] = entries.count
        names.append(name)
        entries.append(Entry(name: name, value: value, findings: findings, range: range))
        return true
    }
}

/// `[A-Za-z0-9_][A-Za-z0-9_-]*`
func isName(_ text: String) -> Bool {
    guard let first = text.utf8.first, first != UInt8(ascii: "-") else { return false }
    return text.utf8.allSatisfy { isNameByte($0) }
}

func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "-"):
        return true
    default: return false
    }
}
