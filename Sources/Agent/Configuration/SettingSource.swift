import Lane
import YAML

extension SettingSource {
    /// `{file: PATH}` or `{credential: NAME}` in the place of a value.
    static func read(_ pair: YAMLPair, _ findings: Findings, _ path: (String) -> String) -> SettingSource? {
        guard let map = YAMLMapping(pair.value, Shown.quoted(pair.key), keys: ["file", "credential"], findings) else {
            return nil
        }
        let (file, credential) = (map.text("file"), map.text("credential"))
        if let file, credential == nil, !file.isEmpty {
            guard SecretFile.isLocation(pair.key) else { return .file(path(file)) }
            findings.error(
                "\(Shown.quoted(pair.key)) is the name of a file itself", at: map.range(of: "file"),
                help: "write \(pair.key): \(Shown.plain(file))")
        } else if let credential, file == nil {
            let isName = !credential.isEmpty && !credential.contains("/") && credential != "." && credential != ".."
            if isName { return .credential(credential) }
            findings.error(
                "\"credential\" needs a credential's name without folders, not \(Shown.quoted(credential))",
                at: map.range(of: "credential"), help: "systemd.exec(5), LoadCredential=")
        } else if file != nil || credential == nil {
            findings.error(
                "\(Shown.quoted(pair.key)) needs one of: {file: PATH}, {credential: NAME}, or its text",
                at: pair.value.range)
        }
        return nil
    }
}
