import Foundation

/// Certificates of an authority of the test's own, made by openssl in a folder.
public struct Certificates: Sendable {
    public let folder: String

    /// Makes the authority `ca`: `ca.pem`, `ca.key`.
    public init(in folder: String) throws {
        self.folder = folder
        try authority("ca")
    }

    /// Another authority.
    public func authority(_ name: String) throws {
        try openssl([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(name).key", "-out", "\(name).pem", "-days",
            "90", "-subj", "/CN=\(name)",
        ])
    }

    /// `name.pem`, `name.key` and both in `name.both`, signed by `authority`, for `hosts` (`DNS:localhost,IP:127.0.0.1`).
    /// - Parameter days: less than 0 makes one that has expired.
    public func make(
        _ name: String, of authority: String = "ca", hosts: String = "DNS:localhost,IP:127.0.0.1", days: Int = 60
    ) throws {
        try openssl([
            "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "\(name).key", "-out", "\(name).csr", "-subj",
            "/CN=\(name)",
        ])
        try "subjectAltName=\(hosts)\n".write(toFile: path("\(name).ext"), atomically: true, encoding: .utf8)
        try openssl([
            "x509", "-req", "-in", "\(name).csr", "-CA", "\(authority).pem", "-CAkey", "\(authority).key",
            "-CAcreateserial", "-out", "\(name).pem", "-days", String(days), "-extfile", "\(name).ext",
        ])
        let both =
            try String(contentsOfFile: path("\(name).pem"), encoding: .utf8)
            + String(contentsOfFile: path("\(name).key"), encoding: .utf8)
        try both.write(toFile: path("\(name).both"), atomically: true, encoding: .utf8)
    }

    public func path(_ name: String) -> String { "\(folder)/\(name)" }

    /// Settings of Kafka's own for a client listener of `protocol` (SSL, SASL_SSL) with the certificate `name`.
    public func properties(_ protocolName: String, _ name: String, clientAuth: String = "none") -> String {
        """
        listener.security.protocol.map=CLIENT:\(protocolName),INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
        ssl.keystore.type=PEM
        ssl.keystore.location=\(path("\(name).both"))
        ssl.truststore.type=PEM
        ssl.truststore.location=\(path("ca.pem"))
        ssl.client.auth=\(clientAuth)

        """
    }

    private func openssl(_ words: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["openssl"] + words
        process.currentDirectoryURL = URL(fileURLWithPath: folder)
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw KafkaBed.Failure(description: "openssl \(words.joined(separator: " ")): \(process.terminationStatus)")
        }
    }
}
