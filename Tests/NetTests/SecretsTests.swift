import Testing

@testable import Net

@Suite struct SecretsTests {
    private func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef")
        return bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined()
    }

    /// FIPS 81, table B1 (ECB); VNC turns each of the key's bytes round, so the password's are turned here.
    @Test func vncsAnswerIsSingleDES() {
        let password: [UInt8] = [0x80, 0xC4, 0xA2, 0xE6, 0x91, 0xD5, 0xB3, 0xF7]
        let answer = Secrets.vncResponse(to: Array("Now is the time ".utf8), password: password + [9, 9])
        #expect(answer.map(hex) == "3fa40e8a984d48156a271787ab8883f9")
        #expect(Secrets.vncResponse(to: [1, 2, 3], password: password) == nil)
        #expect(
            Secrets.vncResponse(to: Array("Now is the time ".utf8), password: Array("abc".utf8))
                == Secrets.vncResponse(to: Array("Now is the time ".utf8), password: Array("abc".utf8) + [0, 0]))
    }

    @Test func digestsAreTheStandards() {
        #expect(hex(Secrets.sha1(Array("abc".utf8))) == "a9993e364706816aba3e25717850c26c9cd0d89d")
        #expect(
            hex(Secrets.sha256(Array("abc".utf8))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
    }

    @Test func comparingLooksAtAllBytes() {
        #expect(Secrets.areEqual([], []) && Secrets.areEqual([1, 2], [1, 2]))
        #expect(
            !Secrets.areEqual([1, 2], [1, 3]) && !Secrets.areEqual([1, 2], [1, 2, 3]) && !Secrets.areEqual([], [0]))
    }

    @Test func randomBytesAreNotTheSameTwice() {
        #expect(Secrets.random(16) != Secrets.random(16) && Secrets.random(12).count == 12)
    }

    /// RFC 4648, 10.
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func base64IsTheStandards(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
        let bare = encoded.filter { $0 != "=" }
        #expect(Base64.encodeForAddress(Array(text.utf8)) == bare)
        #expect(Base64.decodeForAddress(bare) == Array(text.utf8))
    }

    @Test func oneTextAloneStandsForBytes() {
        for wrong in ["Zg", "Zh==", "Zm9=", "Zg=", "Z===", "Zg==\n", "Zm9v====", "Zm-v", "=", "===="] {
            #expect(Base64.decode(wrong) == nil, "\(wrong)")
        }
        for wrong in ["Zg==", "Zh", "Zm9vY", "Zm+v", "Zm/v", "Z g"] {
            #expect(Base64.decodeForAddress(wrong) == nil, "\(wrong)")
        }
        for count in 0..<70 {
            let bytes = Secrets.random(count)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decodeForAddress(Base64.encodeForAddress(bytes)) == bytes)
        }
    }
}
