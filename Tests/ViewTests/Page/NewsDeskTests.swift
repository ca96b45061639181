import Foundation
import Lane
import Loop
import Screen
import Testing

@testable import View

/// What a page is told, and when.
@Suite @LoopActor struct NewsDeskTests {
    @LoopActor private final class Desk {
        let desk = NewsDesk(label: "lane 7")
        var sent: [(to: UInt64, news: [String: Any])] = []
        var asked: [(UInt64, Bool)] = []
        var grants = true

        init() {
            desk.send = { [unowned self] id, news in
                let parsed = (try? JSONSerialization.jsonObject(with: Data(news))) as? [String: Any]
                sent.append((id, parsed ?? [:]))
            }
            desk.setControls = { [unowned self] visitor, isOn in
                asked.append((visitor.id, isOn))
                return grants
            }
        }

        func take() -> [(to: UInt64, news: [String: Any])] {
            defer { sent = [] }
            return sent
        }

        func visitor(
            _ id: UInt64, _ name: String, _ mode: ViewMode = .view, intervention: String? = nil, isPage: Bool = true
        ) -> Visitor {
            Visitor(
                id: id, grant: Grant(attendant: name, mode: mode, intervention: intervention, way: .token),
                address: "127.0.0.1", isEncrypted: true, isWebSocket: isPage, isPage: isPage)
        }
    }

    private func open(_ id: String, _ title: String, isShadow: Bool = false) throws -> OpenIntervention? {
        let shadow = isShadow ? ",\"shadow\":true" : ""
        let text = """
            {"intervention":"\(id)","rule":"r","title":"\(title)","severity":"warning",
             "raisedAt":"2026-11-21T08:14:03.120Z"\(shadow)}
            """
        return OpenIntervention(try JSONValue(parsing: text))
    }

    @Test func aPageIsToldWhatIsSoAndOnlyWhatIsNew() throws {
        let bed = Desk()
        let anna = bed.visitor(1, "anna", .control, intervention: "i2")
        bed.desk.came(anna, now: WallInstant(milliseconds: 1_700_000_000_000))
        #expect(bed.take().isEmpty, "nothing reaches it yet")
        bed.desk.entered(anna)
        let first = try #require(bed.take().last?.news)
        #expect(first["lane"] as? String == "lane 7" && first["attendant"] as? String == "anna")
        #expect(first["mode"] as? String == "view" && first["mayControl"] as? Bool == true)
        #expect(first["since"] as? String == "2023-11-14T22:13:20.000Z")
        #expect(first["hidden"] as? String == "all" && first["agent"] as? Bool == false)
        bed.desk.look()
        #expect(bed.take().isEmpty, "the same is told once")
        #expect(try open("i0", "tried", isShadow: true) == nil)
        bed.desk.set(open: [try #require(try open("i1", "Bag")), try #require(try open("i2", "Payment"))])
        let raised = try #require(bed.take().last?.news["open"] as? [[String: Any]])
        #expect(raised.map { $0["title"] as? String } == ["Payment", "Bag"], "its own is first")
        #expect(raised[0]["mine"] as? Bool == true && raised[1]["mine"] as? Bool == false)
        bed.desk.mask = { Mask(areas: [.init(PixelRect(x: 0, y: 0, width: 9, height: 9))], reasons: ["a card"]) }
        bed.desk.look()
        let part = try #require(bed.take().last?.news)
        #expect(part["hidden"] as? String == "part" && part["reasons"] as? [String] == ["a card"])
        bed.desk.mask = { .nothing }
        bed.desk.look()
        #expect(bed.take().last?.news["hidden"] as? String == "none")
        bed.desk.hasScreen = { false }
        bed.desk.look()
        #expect(bed.take().last?.news["screen"] as? Bool == false)
    }

    @Test func othersAreNamedAndViewersAreToldNothing() throws {
        let bed = Desk()
        let anna = bed.visitor(1, "anna")
        let bert = bed.visitor(2, "bert", .control, isPage: false)
        for one in [anna, bert] {
            bed.desk.came(one)
            bed.desk.entered(one)
        }
        bed.desk.turned(to: bert, from: nil)
        let told = bed.take()
        #expect(told.allSatisfy { $0.to == 1 })
        let others = try #require(told.last?.news["others"] as? [[String: Any]])
        #expect(others.map { $0["name"] as? String } == ["bert"] && others[0]["mode"] as? String == "control")
        for id in 3...20 { bed.desk.came(bed.visitor(UInt64(id), "more", isPage: false)) }
        bed.desk.set(open: [])
        let many = try #require(bed.take().last?.news)
        #expect(many["otherCount"] as? Int == 19 && (many["others"] as? [Any])?.count == NewsDesk.most)
        bed.desk.left(bert)
        #expect(bed.take().last?.news["otherCount"] as? Int == 18)
    }

    @Test func controlIsAskedForAndTold() throws {
        let bed = Desk()
        let anna = bed.visitor(1, "anna", .control)
        bed.desk.came(anna)
        bed.desk.entered(anna)
        _ = bed.take()
        func say(_ text: String) { bed.desk.said(anna, Array(text.utf8)) }
        for nonsense in ["", "{", "[]", "{\"do\":\"control\"}", "{\"do\":\"shell\",\"on\":true}", "null"] {
            say(nonsense)
        }
        #expect(bed.asked.isEmpty && bed.take().isEmpty)
        say("{\"do\":\"control\",\"on\":true}")
        #expect(bed.asked.last?.1 == true && bed.take().last?.news["mode"] as? String == "control")
        say("{\"do\":\"control\",\"on\":false}")
        #expect(bed.asked.last?.1 == false && bed.take().last?.news["mode"] as? String == "view")
        say("{\"do\":\"control\",\"on\":true}")
        _ = bed.take()
        bed.desk.turned(to: bed.visitor(2, "bert", .control), from: anna)
        #expect(bed.take().last?.news["mode"] as? String == "view", "another took it")
        bed.grants = false
        say("{\"do\":\"control\",\"on\":true}")
        let denied = try #require(bed.take().last?.news)
        #expect(denied["mode"] as? String == "view" && denied["denied"] as? Bool == true)
    }

    @Test func aCodeBringsBackWhatWasLostAndNothingElse() {
        var resumes = Resumes()
        let grant = Grant(attendant: "anna", mode: .control, intervention: "i1", way: .token)
        func code(_ visitor: UInt64) -> [UInt8] { Array(resumes.give(grant, visitor: visitor, since: 5).utf8) }
        let lost = code(1)
        let ended = code(2)
        let here = code(3)
        let revoked = code(4)
        resumes.left(1, isLost: true, now: 1000)
        resumes.left(2, isLost: false, now: 1000)
        #expect(resumes.take(ended, now: 1001) == nil)
        #expect(resumes.take(Array("again-".utf8), now: 1001) == nil)
        #expect(resumes.take(lost, now: 60_999) == .init(grant: grant, visitor: 1, since: 5))
        #expect(resumes.take(lost, now: 60_999) == nil, "once")
        #expect(resumes.take(here, now: 900_000)?.visitor == 3, "while the session is there, at any time")
        resumes.left(4, isLost: true, now: 1000)
        #expect(resumes.take(revoked, now: 61_001) == nil, "its minute is over")
        let other = code(5)
        resumes.left(5, isLost: true, now: 1000)
        resumes.revoke(intervention: "i1")
        #expect(resumes.take(other, now: 1001) == nil && resumes.count == 0)
        for id in 10...200 {
            _ = code(UInt64(id))
            resumes.left(UInt64(id), isLost: true, now: 1000)
        }
        #expect(resumes.count == Resumes.mostLost)
    }
}
