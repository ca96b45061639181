import Lane
import Loop

/// Those who must know at once when a lane state changes: the live view, whose masks follow it.
///
/// One asks with the revision that it knows, and is answered when there is a newer one: nothing is missed between two questions,
/// and none waits for longer than `beat`, so that an agent that is frozen is found out.
@LoopActor final class LaneFollowers {
    /// In milliseconds.
    static let beat: Int64 = 1000
    /// As many connections as a control socket has at most.
    static let limit = 64

    typealias Answer = @LoopActor (_ revision: Int64) -> Void

    private struct Follower {
        var after: Int64
        var answer: Answer
        var deadline: EventLoop.Deadline
    }

    private let states: @LoopActor () -> [String: String?]?
    private var known: [String: String?]?
    /// Rises with each change that somebody could have seen; begins with the moment, so that a revision of an earlier life is none.
    private var revision = Boottime.milliseconds()
    private var followers: [Int64: Follower] = [:]
    private var number: Int64 = 0

    /// - Parameter states: the lane's states now; nil while it is not watched.
    init(states: @escaping @LoopActor () -> [String: String?]?) { self.states = states }

    var count: Int { followers.count }

    /// Has `answer` called once: now, where the revision is not `after`; else with the next change, or after `beat`.
    func follow(after: Int64, _ answer: @escaping Answer) {
        refresh()
        guard after == revision, followers.count < Self.limit else { return answer(revision) }
        number += 1
        let mine = number
        let deadline = EventLoop.shared.schedule(inMilliseconds: Self.beat) { [weak self] in self?.release(mine) }
        followers[mine] = Follower(after: after, answer: answer, deadline: deadline)
    }

    /// A step was made: whoever follows is told if it changed a state.
    func stepped() {
        guard !followers.isEmpty else { return }
        refresh()
        for (mine, follower) in followers where follower.after != revision { release(mine) }
    }

    /// The lane is not watched any more: nobody knows its states.
    func end() { for mine in followers.keys { release(mine) } }

    private func refresh() {
        let now = states()
        guard now != known else { return }
        known = now
        revision += 1
    }

    private func release(_ mine: Int64) {
        guard let follower = followers.removeValue(forKey: mine) else { return }
        EventLoop.shared.cancel(follower.deadline)
        follower.answer(revision)
    }
}
