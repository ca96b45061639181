/// What the comments of a shipped rule file say: the checker drops them, the page of interventions is made of them.
///
/// Comments count by where they stand: after a number of `params`, after a key of a rule, after a `set` of `lanes`, and as
/// whole lines before a rule, where they say what it means.
struct RuleComments {
    struct Noted: Equatable {
        var key: String
        /// As the file writes it, of one line.
        var value: String
        var reason: String
    }

    /// The first comment of the file, up to the first line that is none.
    private(set) var title = ""
    /// Parameter -> value and reason, in the order of the file.
    private(set) var params: [Noted] = []
    /// `match`, as written -> parameter -> why it is another; the empty name for the comment after `match` itself.
    private(set) var lanes: [String: [String: String]] = [:]
    /// Rule -> what it means, one paragraph.
    private(set) var meanings: [String: String] = [:]
    /// Rule -> its keys that have a comment, in the order of the file.
    private(set) var notes: [String: [Noted]] = [:]
    /// Rule -> its keys that hold a number of their own and no comment.
    private(set) var bare: [String: [String]] = [:]

    init(_ text: String) {
        var section = ""
        var pending: [String] = []
        var rule = ""
        var pattern = ""
        var key = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            let indent = line.prefix { $0 == " " }.count
            let words = line.dropFirst(indent)
            if words.hasPrefix("#") {
                pending.append(words.drop { $0 == "#" || $0 == " " }.description)
                continue
            }
            let (code, comment) = Self.split(String(words))
            if indent == 0, let colon = code.firstIndex(of: ":") {
                if section.isEmpty { title = pending.first ?? "" }
                section = String(code[..<colon])
            }
            defer { pending = [] }
            guard indent > 0, !code.isEmpty else { continue }
            let pair = Self.pair(code)
            switch section {
            case "params":
                if let pair { params.append(Noted(key: pair.key, value: pair.value, reason: comment)) }
            case "lanes":
                if let pair, pair.key == "match" { pattern = pair.value }
                if !comment.isEmpty {
                    lanes[pattern, default: [:]][pair?.key == "match" ? "" : pair?.key ?? ""] = comment
                }
            case "rules":
                if indent == 2, let pair, pair.key == "id" {
                    rule = pair.value
                    meanings[rule] = pending.joined(separator: " ")
                }
                if indent == 4, let pair { key = pair.key }
                note(rule, key, indent == 4 ? pair?.value ?? code : code, comment)
            default: break
            }
        }
    }

    private mutating func note(_ rule: String, _ key: String, _ value: String, _ comment: String) {
        if !comment.isEmpty {
            notes[rule, default: []].append(Noted(key: key, value: value, reason: comment))
        } else if Self.numbered.contains(key), Self.holdsNumber(value) {
            bare[rule, default: []].append(key)
        }
    }

    private static let numbered = ["on", "within", "for", "count", "clear_after", "cooldown", "escalate", "at"]

    /// A digit that begins a word: `45s`, `> 50`, `"22:00"`; not `$wait2` nor `log2`.
    static func holdsNumber(_ text: String) -> Bool {
        var previous: Character = " "
        for character in text {
            if character.isNumber, !previous.isLetter, !previous.isNumber, previous != "_", previous != "-" {
                return true
            }
            previous = character
        }
        return false
    }

    /// What stands before and after ` # `, outside quotes.
    private static func split(_ line: String) -> (code: String, comment: String) {
        var quote: Character?
        for place in line.indices {
            let character = line[place]
            if let open = quote {
                if character == open { quote = nil }
            } else if character == "\"" || character == "'" {
                quote = character
            } else if character == "#", place > line.startIndex, line[line.index(before: place)] == " " {
                let code = line[..<place].reversed().drop { $0 == " " }.reversed()
                return (String(code), String(line[place...].drop { $0 == "#" || $0 == " " }))
            }
        }
        return (line, "")
    }

    /// `key: value`, with or without a leading `- `.
    private static func pair(_ code: String) -> (key: String, value: String)? {
        let plain = code.hasPrefix("- ") ? code.dropFirst(2) : code[...]
        guard let colon = plain.firstIndex(of: ":") else { return nil }
        let key = plain[..<colon]
        guard !key.isEmpty, key.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "_" }) else { return nil }
        return (String(key), String(plain[plain.index(after: colon)...].drop { $0 == " " }))
    }
}
