import CYAML

/// A YAML file read into nodes with positions, and all that is wrong with it as YAML.
///
/// YAML 1.2's core schema, tightened: anchors, aliases, tags, keys that stand twice, keys that are not text and more than one document
/// are errors. At most `maximumBytes` bytes and `maximumDepth` levels. Any bytes whatever give a tree, or diagnostics, or both.
/// Source: libyaml 0.2.5, its event interface (yaml.h).
public struct YAMLDocument: Sendable {
    public static let maximumBytes = 1 << 20
    public static let maximumDepth = 64

    public let source: SourceText
    /// Nil where the file is not readable as YAML; then there is at least one error. An empty file is a null scalar.
    public let root: YAMLNode?
    /// In line order.
    public let diagnostics: [Diagnostic]

    /// - Parameter file: the name that diagnostics show.
    public init(file: String, bytes: [UInt8]) {
        source = SourceText(file: file, bytes: bytes)
        let findings = Findings(source)
        if bytes.count > Self.maximumBytes {
            findings.error(
                "the file is larger than 1 MiB", at: nil,
                help: "it has \(bytes.count) bytes; spread it over several files")
            root = nil
        } else if let fault = YAMLBytes.fault(in: source) {
            findings.add(fault)
            root = nil
        } else {
            var builder = TreeBuilder(findings)
            root = builder.build()
        }
        diagnostics = findings.inLineOrder
    }
}

/// Turns libyaml's events into nodes, with a stack of its own: depth is bounded, nothing recurses.
private struct TreeBuilder {
    private struct Open {
        var isMapping: Bool
        var isFlow: Bool
        var start: SourcePosition
        var elements: [YAMLNode] = []
        var pairs: [YAMLPair] = []
        var key: (text: String, range: SourceRange)?
        var isKeyRefused = false
        var seen: [String: Int] = [:]
    }

    private let findings: Findings
    private let source: SourceText
    private var places: PlaceTable
    private var stack: [Open] = []
    private var root: YAMLNode?

    init(_ findings: Findings) {
        self.findings = findings
        source = findings.source
        places = PlaceTable(findings.source)
    }

    /// The root, or nil where the file is not readable.
    mutating func build() -> YAMLNode? {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else {
            findings.error("not readable as YAML: out of memory", at: nil)
            return nil
        }
        defer { yaml_parser_delete(&parser) }
        let isComplete = source.bytes.withUnsafeBufferPointer { bytes in
            // Behind the byte order mark, so that libyaml's marks count as ours do. The bytes outlive the parser's use of them.
            yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            let text = UnsafeBufferPointer(rebasing: bytes[places.begin...])
            if let base = text.baseAddress {
                yaml_parser_set_input_string(&parser, base, text.count)
            } else {
                yaml_parser_set_input_string(&parser, "", 0)
            }
            return readEvents(&parser)
        }
        guard isComplete else { return nil }
        let start = source.position(atOffset: 0)
        return root ?? YAMLNode(.scalar(YAMLScalar("", isPlain: true)), at: SourceRange(start: start, end: start))
    }

    /// False where the file is not readable.
    private mutating func readEvents(_ parser: inout yaml_parser_t) -> Bool {
        var documents = 0
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(&parser, &event) == 1 else {
                findings.add(YAMLSyntaxFault.diagnostic(of: parser, places: places, source: source))
                return false
            }
            defer { yaml_event_delete(&event) }
            let range = places.range(event.start_mark, event.end_mark)
            switch event.type {
            case YAML_STREAM_END_EVENT:
                return true
            case YAML_DOCUMENT_START_EVENT:
                documents += 1
                if documents > 1 {
                    findings.error(
                        "a second document begins here; a file holds one", at: range,
                        help: "remove \"---\", or use two files")
                    return true
                }
                let tags = event.data.document_start.tag_directives
                if tags.start != tags.end { findings.error("tags are not allowed; remove \"%TAG\"", at: range) }
            case YAML_ALIAS_EVENT:
                findings.error(
                    "aliases are not allowed", at: range,
                    help: "write the value again; text that starts with * needs quotes")
                add(YAMLNode(.refused, at: range))
            case YAML_SCALAR_EVENT:
                add(scalar(event.data.scalar, at: range))
            case YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT:
                let isMapping = event.type == YAML_MAPPING_START_EVENT
                let isFlow: Bool
                if isMapping {
                    isFlow = event.data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
                    check(anchor: event.data.mapping_start.anchor, tag: event.data.mapping_start.tag, at: range)
                } else {
                    isFlow = event.data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE
                    check(anchor: event.data.sequence_start.anchor, tag: event.data.sequence_start.tag, at: range)
                }
                guard stack.count < YAMLDocument.maximumDepth else {
                    findings.error("more than \(YAMLDocument.maximumDepth) levels deep", at: range)
                    return false
                }
                stack.append(Open(isMapping: isMapping, isFlow: isFlow, start: range.start))
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
                close(at: range.end)
            default:
                break
            }
        }
    }

    private mutating func close(at end: SourcePosition) {
        guard let open = stack.popLast() else { return }
        // A block collection ends, for libyaml, where the next thing begins; for people, where its last element ends.
        let last = open.isMapping ? open.pairs.last?.value.range.end : open.elements.last?.range.end
        let range = SourceRange(start: open.start, end: open.isFlow ? end : max(last ?? open.start, open.start))
        add(YAMLNode(open.isMapping ? .mapping(open.pairs) : .sequence(open.elements), at: range))
    }

    private mutating func add(_ node: YAMLNode) {
        guard !stack.isEmpty else {
            root = node
            return
        }
        let top = stack.count - 1
        guard stack[top].isMapping else {
            stack[top].elements.append(node)
            return
        }
        if let key = stack[top].key {
            stack[top].key = nil
            stack[top].pairs.append(YAMLPair(key: key.text, keyRange: key.range, value: node))
        } else if stack[top].isKeyRefused {
            stack[top].isKeyRefused = false
        } else {
            addKey(node, to: top)
        }
    }

    private mutating func addKey(_ node: YAMLNode, to top: Int) {
        guard let scalar = node.scalar else {
            if !node.isRefused { findings.error("a key must be text, not \(node.described)", at: node.range) }
            stack[top].isKeyRefused = true
            return
        }
        guard !scalar.text.isEmpty else {
            findings.error("a key must not be empty", at: node.range)
            stack[top].isKeyRefused = true
            return
        }
        if let line = stack[top].seen.updateValue(node.range.start.line, forKey: scalar.text) {
            findings.error(
                "the key \(Shown.quoted(scalar.text)) stands twice in one mapping; it is already on line \(line)",
                at: node.range)
            stack[top].isKeyRefused = true
        } else {
            stack[top].key = (scalar.text, node.range)
        }
    }

    private func scalar(_ event: yaml_event_s.__Unnamed_union_data.__Unnamed_struct_scalar, at range: SourceRange)
        -> YAMLNode
    {
        check(anchor: event.anchor, tag: event.tag, at: range)
        let bytes = UnsafeBufferPointer(start: event.value, count: event.value == nil ? 0 : event.length)
        let isPlain = event.style == YAML_PLAIN_SCALAR_STYLE
        var scalar = YAMLScalar(String(decoding: bytes, as: UTF8.self), isPlain: isPlain)
        let lead = isPlain ? 0 : 1
        let (from, to) = (range.start.offset + lead, range.end.offset - lead)
        if range.start.line == range.end.line, from <= to, source.bytes[from..<to].elementsEqual(bytes) {
            scalar.lead = lead
        }
        return YAMLNode(.scalar(scalar), at: range)
    }

    /// Anchor and tag stand before the value: what is shown is the word at the beginning of `range`.
    private func check(
        anchor: UnsafeMutablePointer<yaml_char_t>?, tag: UnsafeMutablePointer<yaml_char_t>?, at range: SourceRange
    ) {
        guard anchor != nil || tag != nil else { return }
        let word = source.bytes[range.start.offset...].prefix { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
        let range = SourceRange(start: range.start, end: source.position(atOffset: range.start.offset + word.count))
        if let anchor {
            let name = Shown.quoted("&" + String(cString: anchor))
            findings.error(
                "anchors are not allowed; remove \(name)", at: range, help: "text that starts with & needs quotes")
        }
        if tag != nil {
            findings.error("tags are not allowed", at: range, help: "text that starts with ! needs quotes")
        }
    }
}
