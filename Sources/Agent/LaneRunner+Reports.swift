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
