import YAML

/// Finds circles of `muted_by`: rules that wait for each other could never be raised.
struct MuteCheck {
    private struct Edge {
        var target: String
        var findings: Findings
        var range: SourceRange
    }

    /// In the order of the files.
    private var ids: [String] = []
    private var edges: [String: [Edge]] = [:]

    mutating func add(_ reader: RuleReader) {
        guard let id = reader.id, edges[id] == nil else { return }
        ids.append(id)
        let texts: [YAMLNode]
        switch reader.mapping["muted_by"]?.content {
        case .sequence(let nodes): texts = nodes
        case .scalar: texts = reader.mapping["muted_by"].map { [$0] } ?? []
        default: texts = []
        }
        edges[id] = texts.compactMap { node in
            node.scalar.map { Edge(target: $0.text, findings: reader.findings, range: node.range) }
        }
    }

    /// Walks from each rule to those that mute it, depth first, in the order of the files; an edge back to a rule on the way
    /// closes a circle, and is reported where it stands. Without these edges there is no circle left.
    func report() {
        enum Mark { case onTheWay, done }
        var marks: [String: Mark] = [:]
        for start in ids where marks[start] == nil {
            var way: [(id: String, next: Int)] = [(start, 0)]
            marks[start] = .onTheWay
            while let (id, next) = way.last {
                guard let out = edges[id], next < out.count else {
                    marks[id] = .done
                    way.removeLast()
                    continue
                }
                way[way.count - 1].next += 1
                let edge = out[next]
                switch marks[edge.target] {
                case .onTheWay:
                    let begin = way.lastIndex { $0.id == edge.target } ?? 0
                    Self.report(edge, circle: [id] + way[begin..<way.count - 1].map(\.id))
                case .done: break
                case nil where edges[edge.target] != nil:
                    marks[edge.target] = .onTheWay
                    way.append((edge.target, 0))
                case nil: break
                }
            }
        }
    }

    /// - Parameter circle: the rule at fault, the rule that mutes it, and so on.
    private static func report(_ edge: Edge, circle: [String]) {
        let names = circle.map { Shown.quoted($0) }
        let sentence: String
        switch names.count {
        case 1: sentence = "rule \(names[0]) mutes itself; it could never be raised"
        case 2: sentence = "rules \(names[0]) and \(names[1]) mute each other; neither could ever be raised"
        default:
            let shown =
                names.count <= 8
                ? names.dropLast().joined(separator: ", ") : names.prefix(6).joined(separator: ", ") + ", …"
            sentence =
                "rules \(shown) and \(names[names.count - 1]) mute each other in a circle; none could ever be raised"
        }
        edge.findings.error(sentence, at: edge.range)
    }
}
