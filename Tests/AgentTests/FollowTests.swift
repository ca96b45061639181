import Loop
import Testing

@testable import Agent

/// Whoever follows the lane's states misses no change, and is never left without a word.
@Suite struct FollowTests {
    @LoopActor private final class Lane {
        var states: [String: String?]? = ["basket": "closed"]
        var answers: [Int64] = []
        lazy var followers = LaneFollowers { [unowned self] in states }

        func follow(_ after: Int64) { followers.follow(after: after) { [unowned self] in answers.append($0) } }
    }

    @LoopActor @Test func aChangeIsToldAtOnceAndNoneIsMissed() throws {
        let lane = Lane()
        lane.follow(0)
        let first = try #require(lane.answers.last)
        lane.follow(first)
        lane.followers.stepped()
        #expect(lane.answers.count == 1 && lane.followers.count == 1, "nothing has changed")
        lane.states = ["basket": "paying"]
        lane.followers.stepped()
        let second = try #require(lane.answers.last)
        #expect(second > first && lane.followers.count == 0)
        // Between two questions it goes there and back: that is a change as well.
        lane.states = ["basket": nil]
        lane.follow(second)
        let third = try #require(lane.answers.last)
        #expect(third > second)
        lane.follow(third)
        lane.states = nil
        lane.followers.end()
        #expect(lane.answers.count == 4 && lane.followers.count == 0)
    }

    @LoopActor @Test func withoutAChangeAnAnswerComesAllTheSame() async throws {
        let lane = Lane()
        lane.follow(0)
        let began = Boottime.milliseconds()
        await withCheckedContinuation { done in
            lane.followers.follow(after: lane.answers[0]) { revision in
                #expect(revision == lane.answers[0])
                done.resume()
            }
        }
        #expect(Boottime.milliseconds() - began >= LaneFollowers.beat - 20)
        #expect(lane.followers.count == 0)
    }
}
