import Foundation
import Testing

@testable import Signing

/// Keys as the openssl program makes them, and the test vectors of RFC 8032.
@Suite struct SigningTests {
    /// RFC 8032, 7.1, TEST 2: a message of one byte.
    @Test func theStandardsVectorIsMet() throws {
        func bytes(_ hex: String) -> [UInt8] {
            stride(from: 0, to: hex.count, by: 2).compactMap {
                UInt8(hex.dropFirst($0).prefix(2), radix: 16)
            }
        }
        // RFC 8410: a private key is a fixed beginning and the seed.
        let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
        let der = bytes("302e020100300506032b657004220420") + seed
        let pem =
            "-----BEGIN PRIVATE KEY-----\n\(Data(der).base64EncodedString())\n-----END PRIVATE KEY-----\n"
        let key = try SigningKey(pem: Array(pem.utf8))
        #expect(key.verifyingKey.bytes == bytes("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"))
        let signature = try key.sign([0x72])
        #expect(
            signature
                == bytes(
                    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                        + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"))
        #expect(key.verifyingKey.isSignature(signature, of: [0x72]))
    }

    @Test func keysOfTheOpenSSLProgramAreRead() throws {
        let pair = try KeyPair()
        let signing = try SigningKey(pem: pair.secret)
        let verifying = try VerifyingKey(pem: pair.open)
        #expect(signing.verifyingKey == verifying)
        let message = Array("digest sha256:1".utf8)
        var signature = try signing.sign(message)
        #expect(verifying.isSignature(signature, of: message))
        #expect(!verifying.isSignature(signature, of: message + [0]))
        #expect(!verifying.isSignature([], of: message))
        signature[9] ^= 1
        #expect(!verifying.isSignature(signature, of: message))
        #expect(try !VerifyingKey(pem: KeyPair().open).isSignature(signing.sign(message), of: message))
    }

    @Test func whatIsNoKeySaysWhy() throws {
        let pair = try KeyPair()
        #expect { try VerifyingKey(pem: pair.secret) } throws: {
            "\($0)".contains("private key, which has no business")
        }
        #expect { try VerifyingKey(pem: Array("hello".utf8)) } throws: { "\($0)".contains("no public key in PEM") }
        #expect { try SigningKey(pem: pair.open) } throws: { "\($0)".contains("no private key in PEM") }
        let other = try KeyPair(algorithm: "EC", options: ["-pkeyopt", "ec_paramgen_curve:P-256"])
        #expect { try VerifyingKey(pem: other.open) } throws: { "\($0)".contains("no Ed25519 key") }
        #expect { try SigningKey(pem: other.secret) } throws: { "\($0)".contains("no Ed25519 key") }
        let locked = try KeyPair.run(
            ["pkcs8", "-topk8", "-passout", "pass:x"], input: pair.secret)
        #expect { try SigningKey(pem: locked) } throws: { "\($0)".contains("encrypted") }
    }
}

/// A key pair, in PEM.
struct KeyPair {
    var secret: [UInt8]
    var open: [UInt8]

    init(algorithm: String = "ed25519", options: [String] = []) throws {
        secret = try Self.run(["genpkey", "-algorithm", algorithm] + options)
        open = try Self.run(["pkey", "-pubout"], input: secret)
    }

    static func run(_ arguments: [String], input: [UInt8] = []) throws -> [UInt8] {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = arguments
        let (standardInput, standardOutput) = (Pipe(), Pipe())
        process.standardInput = standardInput
        process.standardOutput = standardOutput
        process.standardError = Pipe()
        try process.run()
        // Less than a pipe holds.
        try standardInput.fileHandleForWriting.write(contentsOf: Data(input))
        try standardInput.fileHandleForWriting.close()
        let output = try standardOutput.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return Array(output)
    }
}
