import Net
import Screen

extension MaskPlan {
    /// Which masks are in force, for the audit: the same for the same masks, whatever their file looks like. `sha256:…`.
    public var digest: String {
        var text = "unknown \(unknown.rawValue)\n"
        for entry in entries {
            let terms = entry.terms.map { "\($0.state) \($0.isNegated ? "not " : "")\($0.value)" }
            let window: String =
                switch entry.window {
                case .windowClass(let name): "class \(name)"
                case .title(let name): "title \(name)"
                case nil: "screen"
                }
            let rect = entry.area.rect.map { "\($0.x) \($0.y) \($0.width) \($0.height)" } ?? "all"
            text += "\(terms.joined(separator: ", ")); \(window); \(rect); \(entry.area.style); \(entry.reason)\n"
        }
        let hex = Secrets.sha256(Array(text.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
        return "sha256:" + hex.joined()
    }
}
