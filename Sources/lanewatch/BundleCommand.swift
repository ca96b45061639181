import Agent
import CLinux
import CommandLine
import Glibc
import Loop
import Rules
import Signing
import YAML

/// `lanewatch bundle`: rule files as one file with a digest and signatures; or what such a file holds.
enum BundleCommand {
    static func perform(_ arguments: Arguments) -> Int32 {
        let paths = arguments.all(Table.bundlePaths)
        return arguments.has(Table.bundleShow) ? show(paths, arguments) : make(paths, arguments)
    }

    // MARK: Making

    private static func make(_ paths: [String], _ arguments: Arguments) -> Int32 {
        if !arguments.all(Table.bundleTrust).isEmpty {
            Terminal.error("lanewatch bundle: --trust goes with --show; to sign, give --key\n")
            return 2
        }
        if let inner = paths.first(where: { $0.hasSuffix(".bundle") }) {
            Terminal.error("lanewatch bundle: \(inner) is a bundle already; --show tells what it holds\n")
            return 2
        }
        let (loaded, diagnostics) = RuleFiles.load(paths)
        CheckCommand.show(diagnostics)
        guard let loaded else { return 1 }
        let name = arguments[Table.bundleName] ?? Self.name(for: paths[0])
        let version = arguments[Table.bundleVersion] ?? String(loaded.set.digest.dropFirst("sha256:".count).prefix(12))
        for (option, text) in [("--name", name), ("--set-version", version)] {
            if let fault = RuleBundle.fault(inName: text) {
                Terminal.error("lanewatch bundle: \(option) \(Shown.quoted(text)): \(fault)\n")
                return 2
            }
        }
        var bundle = RuleBundle(
            name: name, version: version,
            files: loaded.files.map { RuleBundle.File(name: lastPart(of: $0.name), bytes: $0.bytes) })
        for path in arguments.all(Table.bundleKey) {
            guard let pem = Files.read(path, for: "bundle") else { return 2 }
            do throws(SigningFault) {
                let key = try SigningKey(pem: pem)
                let id = RuleBundle.name(ofKey: key.verifyingKey.bytes)
                guard !bundle.signatures.contains(where: { $0.key == id }) else { continue }
                bundle.signatures.append(.init(key: id, bytes: try key.sign(bundle.signedText)))
            } catch {
                Terminal.error("lanewatch bundle: \(path) cannot sign: \(error)\n")
                return 1
            }
        }
        // What is carried away must be what was checked: read back as a lane does.
        let bytes = bundle.encoded
        guard (try? RuleBundle(decoding: bytes)) == bundle else {
            Terminal.error(
                "lanewatch bundle: these files do not survive being bundled; do their names hold blanks or signs beyond ASCII?\n"
            )
            return 1
        }
        let out = arguments[Table.bundleOut] ?? "\(name).bundle"
        do throws(SystemError) { try FileBytes.replace(out, with: bytes) } catch {
            Terminal.error("lanewatch bundle: cannot write \(out): \(SystemError.text(of: error.code))\n")
            return 2
        }
        tell(bundle, loaded.set, at: out)
        return 0
    }

    private static func name(for path: String) -> String {
        var path = path[...]
        while path.count > 1, path.hasSuffix("/") { path = path.dropLast() }
        let last = lastPart(of: String(path))
        let stem = last.hasSuffix(".yaml") ? String(last.dropLast(".yaml".count)) : last
        return stem == "." || stem == ".." || stem == "/" ? "rules" : stem
    }

    private static func lastPart(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
    }

    // MARK: Showing

    private static func show(_ paths: [String], _ arguments: Arguments) -> Int32 {
        for option in [Table.bundleOut, Table.bundleName, Table.bundleVersion] where arguments[option] != nil {
            Terminal.error("lanewatch bundle: --\(option.name) is for making a bundle, --show only looks\n")
            return 2
        }
        var keys: [VerifyingKey] = []
        for path in arguments.all(Table.bundleTrust) {
            guard let pem = Files.read(path, for: "bundle") else { return 2 }
            do throws(SigningFault) { keys.append(try VerifyingKey(pem: pem)) } catch {
                Terminal.error("lanewatch bundle: \(path) cannot be a key: \(error)\n")
                return 1
            }
        }
        let trust = RuleTrust(keys: keys, isRequired: !keys.isEmpty)
        var worst: Int32 = 0
        for path in paths {
            let (loaded, diagnostics) = RuleFiles.load([path], trust: trust)
            CheckCommand.show(diagnostics)
            guard let loaded, let bytes = Files.read(path, for: "bundle"),
                let bundle = try? RuleBundle(decoding: bytes)
            else {
                if loaded != nil {
                    Terminal.error("lanewatch bundle: \(path) is no bundle; lanewatch bundle \(path) makes one of it\n")
                }
                worst = 1
                continue
            }
            tell(bundle, loaded.set, at: path)
            for file in bundle.files { Terminal.out("  file     \(file.name)\n") }
        }
        return worst
    }

    private static func tell(_ bundle: RuleBundle, _ set: RuleSet, at path: String) {
        let files = bundle.files.count == 1 ? "1 file" : "\(bundle.files.count) files"
        let rules = set.rules.count == 1 ? "1 rule" : "\(set.rules.count) rules"
        Terminal.out("\(path)\n")
        Terminal.out("  name     \(bundle.name)\n  version  \(bundle.version)\n  digest   \(bundle.digest)\n")
        Terminal.out("  holds    \(rules) in \(files)\n")
        if bundle.signatures.isEmpty {
            Terminal.out("  signed   no: a lane that requires signed rules will not take it\n")
        }
        for signature in bundle.signatures { Terminal.out("  signed   by key \(Shown.plain(signature.key))\n") }
    }
}
