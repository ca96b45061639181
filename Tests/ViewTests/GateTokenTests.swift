import CLinux
import Foundation
import Glibc
import Loop
import Net
import Signing
import Testing

@testable import View

@Suite struct GateTokenTests {
    private let key: SigningKey
    private let keys: [VerifyingKey]
    private let now: Int64 = 1_800_000_000

    init() throws {
        key = try SigningKey.made()
        keys = [try SigningKey.made().verifyingKey, key.verifyingKey]
    }

    private func token(_ change: (inout Token) -> Void = { _ in }) throws -> String {
        var token = Token(attendant: "änne", lane: "L07", mode: .control, intervention: "0190-a", now: now)
        change(&token)
        return try #require(try token.text(signedWith: key))
    }

    private func access(_ change: (inout Access.Options) -> Void = { _ in }) throws -> Access {
        var options = Access.Options(lane: "L07")
        options.keys = keys
        change(&options)
        return try Access(options, now: now, boot: now - 10_000)
    }

    private func outcome(
        _ access: Access, _ user: String, _ password: String, at: Int64, isLoopback: Bool = false
    ) async -> Result<Grant, AccessRefusal> {
        await judge(access, .plain(user: Array(user.utf8), password: Array(password.utf8)), at, isLoopback)
    }

    private func judge(
        _ access: Access, _ attempt: Access.Attempt, _ at: Int64, _ isLoopback: Bool
    ) async -> Result<Grant, AccessRefusal> {
        await { @LoopActor in
            do throws(AccessRefusal) {
                return .success(try access.judge(attempt, isLoopback: isLoopback, now: at))
            } catch { return .failure(error) }
        }()
    }

    @Test func aTokenSaysWhatItWasMadeFor() throws {
        let text = try token()
        let read = try Token(text, keys: keys)
        #expect(read.attendant == "änne" && read.lane == "L07" && read.mode == .control)
        #expect(read.intervention == "0190-a" && read.expires == now + 60 && read.seconds == 60)
        #expect(text.utf8.allSatisfy { "-_".utf8.contains($0) || UInt8(ascii: "0")...UInt8(ascii: "z") ~= $0 })
        #expect(text.count < 200, "it can be pasted: \(text.count)")
        let plain = try Token(
            try token {
                $0.intervention = nil; $0.mode = .view
            }, keys: keys)
        #expect(plain.intervention == nil && plain.mode == .view)
        #expect(try token() != token(), "each has a number of its own")
        var wrong = Token(attendant: "", lane: "L07", mode: .view, now: now)
        #expect(try wrong.text(signedWith: key) == nil)
        wrong.attendant = String(repeating: "a", count: 65)
        #expect(try wrong.text(signedWith: key) == nil)
    }

    @Test func aTokenChangedAnywhereIsNone() throws {
        let text = Array(try token().utf8)
        var letters = 0
        for place in text.indices {
            var changed = text
            changed[place] = changed[place] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            #expect(throws: AccessRefusal.self, "letter \(place)") {
                try Token(String(decoding: changed, as: UTF8.self), keys: keys)
            }
            letters += 1
        }
        #expect(letters == text.count && letters > 100)
        let whole = String(decoding: text, as: UTF8.self)
        for wrong in [
            "", "A", String(whole.dropLast()), String(whole.dropFirst(4)), whole + "AAAA", whole + "=", " " + whole,
        ] {
            #expect(throws: AccessRefusal.self) { try Token(wrong, keys: keys) }
        }
        #expect(throws: AccessRefusal.unknownKey) { try Token(whole, keys: []) }
    }

    @Test func aTokenJoinsOnceAndOnlyWhereAndWhenItMay() async throws {
        let access = try access()
        let first = try token()
        #expect(
            try await outcome(access, "änne", first, at: now + 59).get()
                == Grant(attendant: "änne", mode: .control, intervention: "0190-a", way: .token))
        #expect(await outcome(access, "änne", first, at: now + 59) == .failure(.replayed))
        #expect(await outcome(access, "", first, at: now + 59) == .failure(.replayed))
        // A viewer without a field for the name.
        #expect(try await outcome(access, "", try token(), at: now).get().attendant == "änne")
        #expect(await outcome(access, "mallory", try token(), at: now) == .failure(.wrongAttendant))
        #expect(await outcome(access, "änne", try token(), at: now + 60) == .failure(.expired))
        #expect(await outcome(access, "änne", try token(), at: now - 6) == .failure(.tooEarly))
        #expect(try await outcome(access, "änne", try token(), at: now - 5).get().mode == .control)
        #expect(await outcome(access, "änne", try token { $0.lane = "L08" }, at: now) == .failure(.wrongLane))
        let long = try token { $0 = Token(attendant: "änne", lane: "L07", mode: .view, now: now, seconds: 61) }
        #expect(await outcome(access, "änne", long, at: now) == .failure(.tooLong))
        let endless = try token { $0.expires = .max }
        #expect(await outcome(access, "änne", endless, at: now) == .failure(.tooEarly))
        let ancient = try token { $0 = Token(attendant: "a", lane: "L07", mode: .view, now: now - 10_030) }
        #expect(await outcome(access, "a", ancient, at: now - 10_000) == .failure(.beforeBoot))
        let stranger = try SigningKey.made()
        let theirs = try #require(
            try Token(attendant: "änne", lane: "L07", mode: .view, now: now).text(signedWith: stranger))
        #expect(await outcome(access, "änne", theirs, at: now) == .failure(.unknownKey))
        #expect(await outcome(access, "änne", "\u{FFFD}", at: now) == .failure(.malformed))
        let counts = await { @LoopActor in (access.accepted, access.refused) }()
        #expect(counts.0 == [.token: 3] && counts.1.values.reduce(0, +) == 11)
    }

    @Test func aTokenIsSpentAlsoAfterARestart() async throws {
        let folder = try GateFolder()
        let file = "\(folder.path)/spent"
        let text = try token()
        let before = try access { $0.spentFile = file }
        #expect(try await outcome(before, "", text, at: now).get().way == .token)
        var status = stat()
        #expect(stat(file, &status) == 0 && status.st_mode & 0o777 == 0o600)
        let after = try access { $0.spentFile = file }
        #expect(await outcome(after, "", text, at: now + 1) == .failure(.replayed))
        // A line that was cut off, and rubbish, harm nobody.
        let handle = try #require(FileHandle(forWritingAtPath: file))
        try handle.seekToEnd()
        try handle.write(contentsOf: Data("rubbish\nAAAA 18".utf8))
        let third = try access { $0.spentFile = file }
        #expect(await outcome(third, "", text, at: now + 2) == .failure(.replayed))
        #expect(try await outcome(third, "", try token(), at: now).get().way == .token)
        // Where it cannot be noted, nobody comes in: else one token would join twice.
        let nowhere = try access { $0.spentFile = "\(folder.path)/none/spent" }
        #expect(await outcome(nowhere, "", try token(), at: now) == .failure(.notKept))
    }

    @Test func spentNumbersAreForgottenWhenTheirTimeIsOver() throws {
        let folder = try GateFolder()
        let file = "\(folder.path)/spent"
        var spent = try SpentTokens(path: file, now: 0)
        for number in 0..<3000 { try spent.spend(Self.number(number), expires: 60, now: 0) }
        #expect(throws: AccessRefusal.replayed) { try spent.spend(Self.number(7), expires: 60, now: 0) }
        for number in 3000..<SpentTokens.most { try spent.spend(Self.number(number), expires: 60, now: 0) }
        #expect(throws: AccessRefusal.notKept) { try spent.spend(Self.number(9999), expires: 60, now: 59) }
        try spent.spend(Self.number(10_000), expires: 120, now: 60)
        #expect(spent.count == 1)
        #expect(try FileManager.default.attributesOfItem(atPath: file)[.size] as? Int ?? 0 < 100)
        let again = try SpentTokens(path: file, now: 60)
        #expect(again.count == 1)
    }

    private static func number(_ number: Int) -> [UInt8] {
        [UInt8](repeating: 0, count: 8) + [0, 0, UInt8(number >> 8 & 255), UInt8(number & 255)]
    }

    // MARK: Other ways

    @Test func aCodeJoinsOnceByVNCsOwnWay() async throws {
        let access = try access { $0.policy.code = true }
        let now = now
        let code = try #require(await { @LoopActor in access.giveCode("bert", .view, intervention: "i", now: now) }())
        #expect(code.count == 8 && code.utf8.allSatisfy { OneTimeCodes.letters.contains($0) })
        let challenge = Secrets.random(16)
        func answer(_ password: String) throws -> Access.Attempt {
            .challenge(
                challenge, response: try #require(Secrets.vncResponse(to: challenge, password: Array(password.utf8))))
        }
        #expect(await judge(access, try answer("AAAAAAAA"), now, false) == .failure(.wrongPassword))
        let right = try answer(code)
        #expect(
            try await judge(access, right, now + 59, false).get()
                == Grant(attendant: "bert", mode: .view, intervention: "i", way: .code))
        #expect(await judge(access, right, now + 59, false) == .failure(.wrongPassword), "once")
        let late = try #require(await { @LoopActor in access.giveCode("bert", .view, now: now) }())
        #expect(await judge(access, try answer(late), now + 60, false) == .failure(.wrongPassword), "in time")
        // The oldest of too many goes.
        let codes = await { @LoopActor in
            (0...OneTimeCodes.most).compactMap { _ in access.giveCode("b", .view, now: now) }
        }()
        #expect(await judge(access, try answer(codes[0]), now, false) == .failure(.wrongPassword))
        #expect(try await judge(access, try answer(codes[1]), now, false).get().way == .code)
        let closed = try self.access()
        #expect(await { @LoopActor in closed.giveCode("b", .view, now: now) }() == nil)
    }

    @Test func afixedPasswordAndNoneAreForLoopbackUnlessAllowed() async throws {
        let password = try #require(AccessPolicy.Password(Array("correct horse\n".utf8), mode: .control))
        #expect(AccessPolicy.Password(Array("\n".utf8), mode: .view) == nil)
        for allowRemote in [false, true] {
            let access = try access {
                $0.policy.password = password
                $0.policy.none = .view
                $0.policy.allowRemote = allowRemote
                $0.policy.token = false
            }
            for isLoopback in [false, true] {
                let isOpen = isLoopback || allowRemote
                let challenge = Secrets.random(16)
                let response = try #require(
                    Secrets.vncResponse(to: challenge, password: Array("correct ".utf8)))
                let attempt = Access.Attempt.challenge(challenge, response: response)
                for _ in 0..<3 {
                    let found = await judge(access, attempt, now, isLoopback)
                    #expect((try? found.get().mode) == (isOpen ? .control : nil), "any number of joins")
                }
                let plain = await outcome(access, "x", "correct horse", at: now, isLoopback: isLoopback)
                #expect((try? plain.get().way) == (isOpen ? .password : nil))
                #expect((try? await judge(access, .none, now, isLoopback).get().mode) == (isOpen ? .view : nil))
                #expect(
                    await outcome(access, "x", "correct hors", at: now, isLoopback: isLoopback)
                        == .failure(.wrongPassword))
            }
        }
        let closed = try access { $0.policy.token = false }
        #expect(await outcome(closed, "", try token(), at: now) == .failure(.notOffered))
        #expect(await judge(closed, .none, now, true) == .failure(.notOffered))
    }

    @Test func failuresDelayTheirOwnPlaceAloneAndAreBounded() {
        var failures = Failures()
        let delays = (0..<6).map { _ in failures.note([10, 0, 0, 1], now: 1000, most: 2000) }
        #expect(delays == [250, 500, 1000, 2000, 2000, 2000])
        #expect(failures.note([10, 0, 0, 2], now: 1000, most: 2000) == 250)
        #expect(failures.note([10, 0, 0, 1], now: 1001 + Failures.window, most: 2000) == 250, "a minute forgives")
        for place in 0..<5000 { _ = failures.note([UInt8(place >> 8), UInt8(place & 255)], now: 70_000, most: 2000) }
        #expect(failures.count <= Failures.mostPlaces)
    }

    @Test func aPaceRestsExactlyWhatIsTooMuch() {
        var pace = Pace(perSecond: 500, now: 0)
        #expect(pace.take(500, now: 0) == 0)
        #expect(pace.take(100, now: 0) == 200)
        #expect(pace.take(1, now: 200) == 2)
        #expect(pace.take(0, now: 10_000) == 0)
        #expect(pace.take(100_000, now: 10_000) == 2000)
    }

    @Test func systemdsSocketsAreReadFromTheEnvironment() {
        func parse(_ environment: [String: String]) -> [String] {
            ActivatedSockets.parse(environment, process: 7).map { "\($0.name)=\($0.descriptor)" }
        }
        #expect(parse(["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "rfb:https"]) == ["rfb=3", "https=4"])
        #expect(parse(["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "rfb"]) == ["rfb=3", "=4"])
        #expect(parse(["LISTEN_PID": "8", "LISTEN_FDS": "2"]).isEmpty)
        for wrong in ["0", "-1", "17", "x", ""] { #expect(parse(["LISTEN_PID": "7", "LISTEN_FDS": wrong]).isEmpty) }
        #expect(parse([:]).isEmpty)
    }
}
