import Foundation
import Kafka
import Testing
import YAML

@testable import Agent

/// Passwords and keys that stand in files of their own.
@Suite(.serialized) struct SecretTests {
    private final class Folder {
        let path: String
        init() throws {
            let url = FileManager.default.temporaryDirectory.appending(path: "lanewatch-secret-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            path = url.path
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }

        @discardableResult
        func write(_ name: String, _ bytes: [UInt8], mode: Int = 0o640) throws -> String {
            let file = "\(path)/\(name)"
            try Data(bytes).write(to: URL(fileURLWithPath: file))
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file)
            return file
        }
    }

    private static let secret = "hunter2-do-not-show"

    /// The configuration with `lines` under `kafka:`, from a file in `folder`.
    private func read(_ folder: Folder, _ lines: String, mode: Int = 0o640) throws -> ConfigurationFile {
        let text = """
            format: 1
            store: "0042"
            lane: "07"
            rules: lane.yaml
            kafka:
              bootstrap.servers: "127.0.0.1:9092"
              security.protocol: sasl_ssl
              sasl.mechanism: PLAIN
              sasl.username: lane
            \(lines)

            """
        try folder.write("lanewatch.yaml", Array(text.utf8), mode: mode)
        return ConfigurationFile(file: folder.path + "/lanewatch.yaml", bytes: Array(text.utf8))
    }

    private func diagnostics(_ file: ConfigurationFile) throws -> [Diagnostic] {
        KafkaSettings.diagnostics(try #require(file.configuration), file.source)
    }

    @Test(arguments: ["", "\n", "\r\n"]) func aFileHoldsItsValueWithoutTheLineEnd(end: String) throws {
        let folder = try Folder()
        try folder.write("password", Array((Self.secret + end).utf8))
        let file = try read(folder, "  sasl.password: {file: password}")
        #expect(try diagnostics(file).map(\.headline) == [])
        let configuration = try #require(file.configuration)
        #expect(KafkaSettings.producer(configuration)["sasl.password"] == Self.secret)
        // What may be printed by mistake does not show it.
        #expect(!"\(configuration)".contains(Self.secret))
        #expect(!"\(KafkaSettings.producer(configuration).settings)".contains(Self.secret))
    }

    @Test func oneLineEndIsCutAndNoOtherBlank() throws {
        let folder = try Folder()
        let path = try folder.write("p", Array(" a b \n\n".utf8))
        #expect(try SecretFile.read(.file(path), for: "sasl.password").value == " a b \n")
    }

    @Test func aCredentialOfSystemdIsReadAndOfALocationItsNameIsTaken() throws {
        let folder = try Folder()
        try folder.write("kafka-password", Array(Self.secret.utf8))
        let found = try SecretFile.read(
            .credential("kafka-password"), for: "sasl.password", credentials: folder.path)
        #expect(found.value == Self.secret)
        let location = try SecretFile.read(
            .credential("kafka-password"), for: "ssl.key.location", credentials: folder.path)
        #expect(location.value == folder.path + "/kafka-password")
        #expect {
            try SecretFile.read(.credential("kafka-password"), for: "sasl.password", credentials: nil)
        } throws: {
            ($0 as? SecretFault)?.help.contains("LoadCredential=kafka-password") == true
        }
    }

    @Test func whatCannotBeUsedIsAnErrorAtItsPlace() throws {
        let folder = try Folder()
        let cases: [(bytes: [UInt8], words: String)] = [
            ([], "is empty"), (Array("\n".utf8), "is empty"), ([65, 0, 66], "no text"), ([0xFF, 0xFE], "no text"),
            ([UInt8](repeating: 65, count: 5000), "5000 bytes"),
        ]
        for (bytes, words) in cases {
            try folder.write("password", bytes)
            let found = try diagnostics(try read(folder, "  sasl.password: {file: password}"))
            let error = try #require(found.first { $0.severity == .error })
            #expect(error.message.contains(words) && error.message.contains("sasl.password"), "\(error.message)")
            #expect(error.range?.start.line == 10 && error.help?.isEmpty == false)
            #expect(!error.rendered().contains("AAAA"))
        }
        let missing = try diagnostics(try read(folder, "  sasl.password: {file: nowhere}"))
        #expect(missing.first?.message.contains("No such file") == true)
        #expect(missing.first?.rendered().contains("lanewatch.yaml:10:") == true)
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let held = try diagnostics(try read(folder, "  sasl.password: {file: pipe}"))
        #expect(held.first?.message.contains("is no file") == true)
        // librdkafka would open it, and wait.
        let location = try diagnostics(try read(folder, "  ssl.ca.location: \(pipe)"))
        #expect(location.first?.message == "ssl.ca.location: \(pipe) is no file")
    }

    @Test func aLocationThatCannotBeReadIsAnErrorAtItsPlace() throws {
        let found = try diagnostics(try read(try Folder(), "  ssl.ca.location: /nowhere/ca.pem"))
        let error = try #require(found.first { $0.severity == .error })
        #expect(error.message == "ssl.ca.location: cannot read /nowhere/ca.pem: No such file or directory")
        #expect(error.range?.start.line == 10)
        let system = try diagnostics(try read(try Folder(), "  ssl.ca.location: probe"))
        #expect(!system.contains { $0.message.contains("ssl.ca.location") }, "\(system.map(\.message))")
    }

    @Test(arguments: [
        ("{file: a, credential: b}", "needs one of"), ("{}", "needs one of"), ("{credential: ../x}", "without folders"),
        ("{credential: \"\"}", "without folders"), ("{fil: x}", "did you mean \"file\""), ("[a]", "needs text"),
    ]) func aWrongFormIsAnError(value: String, words: String) throws {
        let file = try read(try Folder(), "  sasl.password: \(value)")
        #expect(file.configuration == nil)
        #expect(file.diagnostics.contains { $0.message.contains(words) }, "\(file.diagnostics.map(\.message))")
    }

    @Test func aLocationIsNoSecretFile() throws {
        let file = try read(try Folder(), "  ssl.ca.location: {file: ca.pem}")
        #expect(file.diagnostics.first?.help == "write ssl.ca.location: ca.pem")
    }

    @Test func whatEverybodyMayReadIsWarnedOf() throws {
        let folder = try Folder()
        try folder.write("password", Array(Self.secret.utf8), mode: 0o644)
        let open = try diagnostics(try read(folder, "  sasl.password: {file: password}"))
        #expect(open.map(\.severity) == [.warning])
        #expect(open.first?.message.contains("everybody on this machine may read") == true)
        #expect(open.first?.help?.contains("chmod 640") == true)
        let inYAML = try diagnostics(try read(folder, "  sasl.password: \(Self.secret)", mode: 0o644))
        #expect(inYAML.first?.message.contains("sasl.password in this file") == true)
        #expect(inYAML.first?.help?.contains("{file: ") == true)
        #expect(try diagnostics(try read(folder, "  sasl.password: \(Self.secret)")).isEmpty)
    }

    @Test func anUnsafeLinkIsWarnedOf() throws {
        let folder = try Folder()
        let plain = try diagnostics(
            try read(folder, "  sasl.password: x\n  ssl.endpoint.identification.algorithm: none"))
        #expect(plain.contains { $0.message.contains("host name") && $0.range?.start.line == 11 })
        let open = try diagnostics(try read(folder, "  sasl.password: x\n  enable.ssl.certificate.verification: false"))
        #expect(open.contains { $0.message.contains("anybody can pretend") })
        let clear = """
            format: 1
            store: "1"
            lane: "1"
            rules: r
            kafka: {bootstrap.servers: "h:1", security.protocol: sasl_plaintext, sasl.mechanism: PLAIN, sasl.username: a, sasl.password: b}

            """
        let file = ConfigurationFile(file: "/nowhere/lanewatch.yaml", bytes: Array(clear.utf8))
        #expect(
            try diagnostics(file).contains {
                $0.message.contains("plain text") && $0.help?.contains("sasl_ssl") == true
            })
    }

    @Test func aMarkChangesWithASecretAndWithAFileOfALocation() throws {
        let folder = try Folder()
        try folder.write("password", Array("a".utf8))
        let ca = try folder.write("ca.pem", Array("x".utf8))
        let file = try read(folder, "  sasl.password: {file: password}\n  ssl.ca.location: \(ca)")
        let configuration = try #require(file.configuration)
        let first = try #require(KafkaSettings.credentials(configuration)).mark
        #expect(KafkaSettings.credentials(configuration)?.mark == first)
        try folder.write("password", Array("b".utf8))
        let second = try #require(KafkaSettings.credentials(configuration)).mark
        #expect(second != first)
        try folder.write("ca.pem", Array("xy".utf8))
        #expect(KafkaSettings.credentials(configuration)?.mark != second)
        try FileManager.default.removeItem(atPath: folder.path + "/password")
        #expect(KafkaSettings.credentials(configuration) == nil)
    }
}
