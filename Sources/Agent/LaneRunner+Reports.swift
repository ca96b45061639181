import Feeds
import Lane
import Loop
import Outbox

/// What the lane tells that is not the engine's: devices, gaps, its own life, and what it is like now.
extension LaneRunner {
    func note(_ gap: Gap) {
        gaps[gap.feed, default: 0] += 1
        hooks.log(
            Notice(
                .warning, "a feed missed something",
                [.init("feed", gap.feed.rawValue), .init("device", gap.subject), .init("reason", gap.reason)]))
        let now = clock.wall()
        batch.events.append(
            OutboxEvent(
                messages.event(
                    topic: messages.topics.deviceHealth, type: "sco.device.gap.v1",
                    subject: gap.subject.isEmpty ? gap.feed.rawValue : gap.subject, time: now, recorded: now
                ) { json in
                    json.member("feed", gap.feed.rawValue)
                    json.member("subject", gap.subject)
                    json.member("reason", gap.reason)
                    json.member("at", now.rfc3339)
                }))
        flush()
    }

    func report(device stamped: StampedSignal) {
        let role = stamped.signal[.device]?.description ?? "unknown"
        let isThere = stamped.signal.type == .deviceAttached
        laneState.devices[role] = isThere
        laneState.isDirty = true
        batch.events.append(
            OutboxEvent(
                messages.event(
                    topic: messages.topics.deviceHealth,
                    type: isThere ? "sco.device.attached.v1" : "sco.device.detached.v1", subject: role,
                    time: stamped.wall, recorded: clock.wall()
                ) { json in
                    json.member("device", role)
                    json.member("port", stamped.signal[.port]?.description ?? "")
                    json.member("class", stamped.signal[.class]?.description ?? "")
                    json.member("at", stamped.wall.rfc3339)
                }))
    }

    /// A message of the agent itself for the audit topic; chained there.
    public func audit(_ type: String, subject: String, _ members: (inout JSONWriter) -> Void) {
        let now = clock.wall()
        batch.events.append(
            OutboxEvent(
                messages.event(
                    topic: messages.topics.audit, type: type, subject: subject, time: now, recorded: now, chained: true,
                    members: members)))
        flush()
    }

    /// What became of a session of the live view, kept together with `known`, which tells that it was taken: both or neither.
    ///
    /// - Parameters:
    ///   - id: of the message, the same however often it is handed over.
    ///   - fact: nil where it was taken before: then the answer waits for the commit that holds it.
    ///   - answer: true once it is on disk, false where that cannot be known any more.
    func keep(
        _ fact: ViewFact?, by user: UInt32, id: LaneUUID, known: [UInt8], answer: @escaping @LoopActor (Bool) -> Void
    ) {
        guard !isStopped else { return answer(false) }
        if let fact {
            var event = messages.event(
                topic: messages.topics.audit, type: fact.type, subject: fact.session.id, time: fact.at,
                recorded: clock.wall(), chained: true
            ) { json in
                fact.write(into: &json)
                json.member("uid", Int64(user))
                json.member("at", fact.at)
            }
            event.id = id
            batch.events.append(OutboxEvent(event))
        }
        batch.facts[Facts.viewTold] = .some(known)
        batch.answers.append(
            Batch.Answer(number: lastNumber) { result in
                if case .success = result { answer(true) } else { answer(false) }
            })
        flush()
    }

    /// What the lane is like now, for a dashboard's first load: at most once a second.
    func reportLaneState() {
        guard laneState.isDirty, !laneState.isScheduled else { return }
        let wait = laneState.milliseconds(untilNextAt: Boottime.milliseconds())
        guard wait == 0 || isStopped else {
            laneState.isScheduled = true
            EventLoop.shared.schedule(inMilliseconds: wait) { [weak self] in
                guard let self, !isStopped else { return }
                laneState.isScheduled = false
                reportLaneState()
                flush()
            }
            return
        }
        laneState.reported(at: Boottime.milliseconds())
        let now = clock.wall()
        batch.events.append(
            OutboxEvent(
                messages.event(
                    topic: messages.topics.laneState, type: "sco.lane.state.v1", subject: messages.identity.lane,
                    time: now, recorded: now
                ) { json in laneState.write(open: engine.active, at: now, into: &json) }))
    }
}
