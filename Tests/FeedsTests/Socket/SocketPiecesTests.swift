import Lane
import Net
import Testing

@testable import Feeds

@Suite struct LineFramerTests {
    private func frame(_ bytes: [UInt8], limit: Int, pieces: () -> Int) -> [String] {
        var framer = LineFramer(limit: limit)
        var told: [String] = []
        func drain() {
            while let piece = framer.next() {
                switch piece {
                case .line(let range): told.append(framer.withBytes(of: range) { String(decoding: $0, as: UTF8.self) })
                case .oversized: told.append("<oversized>")
                }
            }
        }
        var at = 0
        while at < bytes.count {
            let end = min(bytes.count, at + max(1, pieces()))
            bytes[at..<end].withUnsafeBytes { framer.append($0) }
            drain()
            #expect(framer.count <= limit)
            at = end
        }
        if framer.finish() { told.append("<incomplete>") }
        return told
    }

    /// What the lines are, found the plain way.
    private func model(_ bytes: [UInt8], limit: Int) -> [String] {
        let parts = bytes.split(separator: 0x0A, omittingEmptySubsequences: false).map(Array.init)
        var told: [String] = []
        for (place, part) in parts.enumerated() {
            let isLast = place == parts.count - 1
            if part.count > limit {
                told.append("<oversized>")
            } else if part.contains(where: { $0 != 0x20 && $0 != 0x0D && $0 != 0x09 }) {
                told.append(isLast ? "<incomplete>" : String(decoding: part, as: UTF8.self))
            }
        }
        return told
    }

    @Test func piecesOfAnySizeGiveTheSameLines() {
        for _ in 0..<400 {
            let limit = Int.random(in: 1...40)
            let alphabet: [UInt8] = [UInt8(ascii: "a"), 0x20, 0x0D, 0x09, UInt8(ascii: "z")]
            let bytes: [UInt8] = (0..<Int.random(in: 0...600)).map { _ in
                Int.random(in: 0..<18) == 0 ? 0x0A : alphabet[Int.random(in: 0..<5)]
            }
            let expected = model(bytes, limit: limit)
            #expect(frame(bytes, limit: limit) { 1 } == expected)
            #expect(frame(bytes, limit: limit) { Int.random(in: 1...90) } == expected)
            #expect(frame(bytes, limit: limit) { bytes.count } == expected)
        }
    }

    @Test func linesHaveTheNumberThatAnEditorShows() {
        var framer = LineFramer(limit: 4)
        var numbers: [Int] = []
        for byte in Array("a\n\n \nb\ncccccc\nddddddddd\n\ne\n".utf8) {
            [byte].withUnsafeBytes { framer.append($0) }
            while framer.next() != nil { numbers.append(framer.number) }
        }
        #expect(numbers == [1, 4, 5, 6, 8])
    }

    @Test func theLimitIsALineOfExactlySoMany() {
        #expect(frame(Array("aaaa\n".utf8), limit: 4) { 2 } == ["aaaa"])
        #expect(frame(Array("aaaaa\nb\n".utf8), limit: 4) { 2 } == ["<oversized>", "b"])
    }

    @Test func aLineWithoutEndIsToldOnceAndHoldsNothing() {
        var framer = LineFramer(limit: 1000)
        let piece = [UInt8](repeating: 65, count: 700)
        var told = 0
        for _ in 0..<1000 {
            piece.withUnsafeBytes { framer.append($0) }
            while let piece = framer.next() { told += piece == .oversized ? 1 : 100 }
            #expect(framer.count <= 1000)
        }
        #expect(told == 1)
        #expect(framer.finish() == false)
    }
}

@Suite struct SocketPiecesTests {
    @Test func answersComeInTheOrderOfTheLinesWhateverOrderTheyAreKnownIn() {
        for _ in 0..<300 {
            var queue = AnswerQueue()
            var output: [UInt8] = []
            var open: [(Int, UInt8)] = []
            let count = Int.random(in: 1...50)
            for line in 0..<UInt8(count) {
                if Bool.random() { open.append((queue.open(), line)) } else { queue.append([line], to: &output) }
                if Bool.random(), let place = open.indices.randomElement() {
                    let (number, line) = open.remove(at: place)
                    queue.fill(number, [line], to: &output)
                    queue.fill(number, [255], to: &output)
                }
            }
            for (number, line) in open.shuffled() { queue.fill(number, [line], to: &output) }
            #expect(output == (0..<UInt8(count)).map { $0 })
            #expect(queue.count == 0)
        }
    }

    @Test func aBucketGivesItsRateAndASecondsWorthAtOnce() {
        var bucket = TokenBucket(perSecond: 10, now: 0)
        func taken() -> Int { (0..<100).filter { _ in bucket.take() }.count }
        #expect(taken() == 10)
        bucket.fill(now: 500_000_000)
        #expect(taken() == 5)
        bucket.fill(now: 400_000_000)
        #expect(taken() == 0)
        bucket.fill(now: 900_000_000_000)
        #expect(taken() == 10)
    }

    @Test func peersAreAllowedByUserOrAnyOfTheirGroups() {
        let rule = PeerRule(users: [1001], groups: [2001], own: 990)
        var asked = 0
        func allows(_ user: UInt32, _ group: UInt32, _ groups: [UInt32] = []) -> Bool {
            rule.allows(user: user, group: group) {
                asked += 1
                return groups
            }
        }
        #expect(allows(0, 5) && allows(990, 5) && allows(1001, 5) && allows(7, 2001))
        #expect(asked == 0)
        #expect(allows(7, 7, [3, 2001]))
        #expect(!allows(7, 7, [3]) && !allows(2001, 1001))
        #expect(!PeerRule(users: [1001], groups: [], own: 990).allows(user: 7, group: 7) { [0] })
    }

    @Test func rootsGroupsAreFoundAndAnUnknownUserHasItsOwn() {
        var memberships = Memberships()
        #expect(memberships.groups(ofUser: 0, primary: 0, now: 0).contains(0))
        #expect(memberships.groups(ofUser: 3_999_999, primary: 77, now: 0) == [77])
    }

    @Test(
        arguments: [
            (#"{"type":"pos.message","text":"%B4111111111111111^DOE/JOHN^2512101?"}"#, "card_data"),
            (#"{"type":"pos.message","text":"read ;4000001234=2512101?"}"#, "card_data"),
            (#"{"type":"pos.message","text":"card 4111111111111111 declined"}"#, "card_data"),
            (#"{"type":"pos.message","text":"card 4111 1111 1111 1111 declined"}"#, "card_data"),
            (#"{"type":"pos.message","text":"3782-822463-10005"}"#, "card_data"),
            (#"{"type":"pos.message","text":"x","code":"\u0034111111111111111"}"#, "card_data"),
            (#"{"type":"pos.message","text":"411111111111111125121011234567890"}"#, "card_data"),
            (#"{"type":"payment.started","amount":4111111111111111}"#, "card_data"),
            (#"{"type":"scan.read","code":"4111111111111111"}"#, "card_data"),
            (#"{"type":"pos.message","text":"receipt 1234567890123 of 2026-11-21 08:14:03"}"#, nil),
            (#"{"type":"pos.message","text":"50% off; buy=2^3"}"#, nil),
            // An EAN-13 that passes Luhn as well: as a code it is an article, in a text it may be a card.
            (#"{"type":"scan.read","code":"4006381333023"}"#, nil),
            (#"{"type":"item.accepted","sku":"4006381333023"}"#, nil),
            (#"{"type":"pos.message","text":"4006381333023"}"#, "card_data"),
            (#"{"type":"scan.read","code":"01040063813339311725123110ABC"}"#, nil),
            (#"{"type":"scan.read","code":"0104006381333931A4111111111111111"}"#, "card_data"),
            (#"{"type":"attendant.acknowledged","by":"x"}"#, "foreign_type"),
            (#"{"type":"heartbeta"}"#, "unknown_type"),
            (#"{"type":"heartbeat""#, "malformed"),
            (#"[1]"#, "malformed"),
            (#"{"type":"heartbeat","cpu":"x"}"#, nil),
        ] as [(String, String?)])
    func aLineIsASignalOrHasAReason(_ line: String, _ reason: String?) {
        let bytes = Array(line.utf8)
        let result = bytes.withUnsafeBytes { SocketIntake(simulate: false).take($0) }
        switch result {
        case .success: #expect(reason == nil)
        case .failure(let refused):
            #expect(refused.reason == reason, "\(refused.message)")
            let answer = String(decoding: SocketAnswer.refused(refused.message), as: UTF8.self)
            #expect(!answer.contains("1111111111"))
        }
    }

    private static let id = "5f0c9a1e-7d42-8b3c-9a10-2f6f0d1c7e55"

    /// A line, what its writer may bring, and the reason it is refused for; nil where it is taken.
    @Test(
        arguments: [
            (#"{"type":"attendant.resolved","intervention":"ID","verdict":"helped"}"#, [.staff], nil, ""),
            (#"{"type":"attendant.resolved","intervention":"ID","by":"b17"}"#, [.staff, .pos], nil, ""),
            (#"{"type":"attendant.acknowledged","intervention":"ID"}"#, [.staff], nil, ""),
            (#"{"type":"staff.cleared","badge":"b17"}"#, [.staff], nil, ""),
            (
                #"{"type":"attendant.resolved","intervention":"ID","verdict":"helped"}"#, [.pos], "foreign_type",
                "comes from staff alone; name the user in staff_users of the configuration"
            ),
            (#"{"type":"payment.started","pay":"P1"}"#, [.staff], "foreign_type", "is no signal of staff"),
            (#"{"type":"network.down"}"#, [.staff, .pos], "foreign_type", "from: reach"),
            (
                #"{"type":"attendant.resolved","intervention":"4711","verdict":"helped"}"#, [.staff], "bad_verdict",
                "\"intervention\" must be the id of an intervention, a UUID such as"
            ),
            (#"{"type":"attendant.resolved","verdict":"helped"}"#, [.staff], "bad_verdict", "needs \"intervention\""),
            (#"{"type":"attendant.acknowledged","by":"b17"}"#, [.staff], "bad_verdict", "needs \"intervention\""),
            (
                #"{"type":"attendant.resolved","intervention":"ID","verdict":"false alarn"}"#, [.staff], "bad_verdict",
                "no such verdict; did you mean \"false alarm\"?"
            ),
            (
                #"{"type":"attendant.resolved","intervention":"ID","verdict":"?"}"#, [.staff], "bad_verdict",
                "no such verdict; it is one of: helped, self-corrected, false alarm, left, maintenance"
            ),
            // Groups of decimal digits in an id may look like a card; a card in its place is one.
            (
                #"{"type":"attendant.resolved","intervention":"abcdef01-4111-8111-9111-1002abcdefab"}"#, [.staff], nil,
                ""
            ),
            (#"{"type":"attendant.resolved","intervention":"4111 1111 1111 1111"}"#, [.staff], "card_data", ""),
            (
                #"{"type":"attendant.resolved","intervention":"abcdef01-4111-1111-1111-1111abcdefab"}"#, [.staff],
                "card_data", ""
            ),
        ] as [(String, SocketAccess, String?, String)])
    func whatAttendantsSayComesFromStaff(_ line: String, _ access: SocketAccess, _ reason: String?, _ message: String) {
        let bytes = Array(line.replacing("ID", with: Self.id).utf8)
        switch bytes.withUnsafeBytes({ SocketIntake(simulate: false).take($0, access) }) {
        case .success(let accepted):
            #expect(reason == nil)
            #expect(accepted.signal.feed == (access.contains(.pos) && line.contains("staff.cleared") ? .pos : .staff))
        case .failure(let refused):
            #expect(
                refused.reason == reason && (message.isEmpty || refused.message.contains(message)), "\(refused.message)"
            )
        }
    }

    @Test func aSimulatedLaneMayBringEveryType() throws {
        let bytes = Array(#"{"type":"network.down","if":"eth0"}"#.utf8)
        let accepted = try bytes.withUnsafeBytes { try SocketIntake(simulate: true).take($0).get() }
        #expect(accepted.signal.feed == .reach)
    }

    /// Found by fuzzing: a terminal that shows the answer would have obeyed it.
    @Test(arguments: ["c\u{7F}de", "\u{9B}2J"]) func aNameWithControlCharactersIsNotShown(_ name: String) {
        let bytes = Array(#"{"type":"scan.read","\#(name)":"4111111111111111"}"#.utf8)
        let result = bytes.withUnsafeBytes { SocketIntake(simulate: false).take($0) }
        guard case .failure(let refused) = result else {
            Issue.record("the line was taken")
            return
        }
        #expect(refused.message == "the line looks like card data; it was dropped")
        #expect(refused.reason == "card_data")
    }

    @Test func namesThatLookLikeCardsAreMaskedInAnswers() {
        let answer = SocketAnswer.refused("no signal \"4111111111111111\"", ignored: ["4111111111111111"])
        #expect(
            String(decoding: answer, as: UTF8.self)
                == "{\"ok\":false,\"error\":\"no signal \\\"[masked]\\\"\",\"ignored\":[\"[masked]\"]}\n")
    }

    @Test(arguments: [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
        ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-4111111111111111-01", false),
        ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false), ("", false), ("00-1-2-3", false),
    ])
    func aTraceparentIsWellFormedOrLeftOut(_ text: String, _ isValid: Bool) throws {
        let bytes = Array("{\"type\":\"heartbeat\",\"traceparent\":\"\(text)\"}".utf8)
        let accepted = try bytes.withUnsafeBytes { try SocketIntake(simulate: false).take($0).get() }
        #expect(accepted.signal.traceparent == (isValid ? text : nil))
        #expect(accepted.ignored == (isValid ? [] : ["traceparent"]))
    }
}
