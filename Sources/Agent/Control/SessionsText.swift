import Lane

/// Who watches a lane, as people read it: the answer of a view's control socket (docs/reference/control.md).
public enum SessionsText {
    public static func text(_ answer: JSONValue, zone: any LocalTime) -> String {
        let now = answer["now"]?.text.flatMap { WallInstant(rfc3339: $0) } ?? WallInstant(milliseconds: 0)
        let time = PeopleTime(now: now, zone: zone)
        let lane = "lane \(answer["store"]?.text ?? "")/\(answer["lane"]?.text ?? "")"
        let sessions = answer["sessions"]?.elements ?? []
        guard !sessions.isEmpty else { return "\(lane): nobody watches\n" }
        var rows = [["SESSION", "WHO", "FROM", "MODE", "SINCE", "IDLE", "PICTURE", "SENT", "INPUTS", "FOR"]]
        for session in sessions { rows.append(row(session, time)) }
        let count = sessions.count == 1 ? "1 session" : "\(sessions.count) sessions"
        return TextColumns.text(rows, rightAligned: [5, 7, 8]) + "\n\(lane): \(count)\n"
    }

    private static func row(_ session: JSONValue, _ time: PeopleTime) -> [String] {
        let since = session["since"]?.text.flatMap { WallInstant(rfc3339: $0) }
        let hasControl = session["control"]?.bool ?? false
        // What the mode allows, and whether it is done.
        let mode = (session["mode"]?.text ?? "") + (hasControl ? ", has it" : "")
        let picture = (session["encoding"]?.text ?? "-") + (session["web"]?.bool ?? false ? ", web" : "")
        return [
            session["session"]?.text ?? "", session["attendant"]?.text ?? "(\(session["way"]?.text ?? "nobody"))",
            session["from"]?.text ?? "", mode,
            since.map { "\(time.clock($0)) (\(time.relative($0)))" } ?? "-",
            session["idleMs"]?.int.map { PeopleTime.length($0 / 1000) } ?? "-", picture,
            session["bytesOut"]?.int.map { OutboxText.bytes($0) } ?? "-",
            session["inputs"]?.int.map { OutboxText.number($0) } ?? "-", session["intervention"]?.text ?? "-",
        ]
    }
}

/// Asks a running view over its control socket. For commands; blocks, within its time limit.
public enum ViewClient {
    public static let standardPath = "/run/lanewatch-view/control.sock"

    public enum Request: Hashable, Sendable {
        case sessions
        case end(session: String, why: String?)

        /// The line, without its line feed.
        public var line: [UInt8] {
            var json = JSONWriter()
            json.object { json in
                switch self {
                case .sessions: json.member("do", "sessions")
                case .end(let session, let why):
                    json.member("do", "end")
                    json.member("session", session)
                    if let why { json.member("why", why) }
                }
            }
            return json.bytes
        }
    }

    public static func ask(
        _ request: Request, path: String, timeout: Duration = .seconds(5)
    ) -> Result<JSONValue, ControlError> {
        let answer = ControlClient.ask(line: request.line, path: path, timeout: timeout)
        guard case .failure(let error) = answer, error.isNobodyThere else { return answer }
        return .failure(
            ControlError(
                description: "no view listens on \(path): start it (\"lanewatch view\"), or name its socket",
                isNobodyThere: true))
    }
}
