import Lane

/// What waits for the brokers, for people: out of the JSON of `OutboxReport`.
public enum OutboxText {
    /// The whole screen. `zone` is the lane's.
    public static func text(_ answer: JSONValue, zone: any LocalTime) -> String {
        let report = answer["outbox"] ?? .null
        let time = PeopleTime(
            now: answer["now"]?.text.flatMap { WallInstant(rfc3339: $0) } ?? WallInstant(milliseconds: 0), zone: zone)
        return heading(answer, report, time) + topics(report, time) + facts(report, time) + quarantine(report, time)
    }

    /// Why nothing goes out now; nil where it may.
    public static func obstacle(_ report: JSONValue) -> String? {
        switch report["state"]?.text {
        case "no_agent": return "no agent runs"
        case "no_broker": return "no broker answers"
        case "recovering":
            let error = report["failure"]?["error"]?.text ?? "an error"
            let left = report["resumesInMs"]?.int.map { ", in \(($0 + 999) / 1000)s" } ?? ""
            return "the producer is made anew after \(error)\(left)"
        case "idle": return "the agent is starting or stopping"
        default: return nil
        }
    }

    private static func heading(_ answer: JSONValue, _ report: JSONValue, _ time: PeopleTime) -> String {
        let waiting = report["waiting"]?.int ?? 0
        let lane = answer["lane"]?.text.map { "lane \(answer["store"]?.text ?? "")/\($0): " } ?? ""
        var line =
            lane + (waiting == 0 ? "nothing waits" : "\(count(waiting, "message")) wait\(waiting == 1 ? "s" : "")")
        if waiting > 0, let oldest = instant(report["oldest"]) { line += ", the oldest since \(since(oldest, time))" }
        if let obstacle = obstacle(report) { line += "; \(obstacle)" }
        return line + "\n"
    }

    private static func topics(_ report: JSONValue, _ time: PeopleTime) -> String {
        let topics = report["topics"]?.elements ?? []
        guard !topics.isEmpty else { return "" }
        let obstacle = obstacle(report)
        let rows = topics.map { topic -> [String] in
            let waiting = topic["waiting"]?.int ?? 0
            let inFlight = topic["inFlight"]?.int ?? 0
            let why =
                held(topic["held"], time) ?? (waiting == 0 ? "" : obstacle ?? (inFlight > 0 ? "on its way" : "next"))
            let oldest = waiting > 0 ? instant(topic["oldest"]).map { since($0, time) } ?? "-" : "-"
            return [topic["topic"]?.text ?? "", number(waiting), number(inFlight), oldest, why]
        }
        return "\n"
            + TextColumns.text([["TOPIC", "WAITING", "IN FLIGHT", "OLDEST", "WHY"]] + rows, rightAligned: [1, 2])
    }

    private static func held(_ held: JSONValue?, _ time: PeopleTime) -> String? {
        guard let reason = held?["reason"]?.text else { return nil }
        let since = instant(held?["since"]).map { " since \(time.clock($0))" } ?? ""
        switch reason {
        case "unknown": return "the cluster has no such topic\(since); make it"
        case "not_authorised": return "the cluster lets this client not write\(since); look at its ACLs"
        case "refused": return "the cluster refuses every message\(since); look at the topic's settings"
        case "clock": return "the cluster refuses the messages' time\(since); set the lane's clock (timedatectl)"
        case "quarantine_full": return "the quarantine is full\(since); release or discard some"
        default: return reason + since
        }
    }

    private static func facts(_ report: JSONValue, _ time: PeopleTime) -> String {
        var rows: [[String]] = []
        if let brokers = report["brokers"] {
            let last = instant(report["lastAcknowledged"]).map { "last acknowledgement \(since($0, time))" }
            let known = brokers["known"]?.int ?? 0
            let up = known == 0 ? "not counted yet" : "\(brokers["up"]?.int ?? 0) of \(known) up"
            rows.append(["brokers", "\(up); \(last ?? "none has acknowledged anything yet")"])
            rows.append([
                "in flight",
                "\(count(report["inFlight"]?.int ?? 0, "message")), \(bytes(report["inFlightBytes"]?.int ?? 0))",
            ])
        }
        if let failure = report["failure"], let error = failure["error"]?.text {
            let at = instant(failure["at"]).map { since($0, time) } ?? ""
            rows.append(["producer", "made anew \(at) after \(error): \(failure["description"]?.text ?? "")"])
        }
        if let drain = report["drain"], let line = drainLine(drain) { rows.append(["drain", line]) }
        if let held = report["heldSignals"]?.int, held > 0 {
            rows.append(["disk", "\(count(held, "signal")) wait in memory for the disk"])
        }
        if report["disk"]?.text == "no_answer" {
            rows.append(["disk", "the outbox's file does not answer: look at the disk"])
        } else {
            let limit = report["limitBytes"]?.int.map { " of at most \(bytes($0))" } ?? ""
            rows.append([
                "database",
                "\(bytes(report["usedBytes"]?.int ?? 0))\(limit), file \(bytes(report["databaseBytes"]?.int ?? 0)), epoch "
                    + "\(report["epoch"]?.int ?? 0)",
            ])
        }
        rows.append(["quarantine", size(report["quarantine"] ?? .null)])
        return "\n" + TextColumns.text(rows, rightAligned: [])
    }

    /// `12 000 of 100 000 delivered in 8s, 1 480/s, about 1m left`.
    static func drainLine(_ drain: JSONValue) -> String? {
        guard let done = drain["done"]?.int, let of = drain["of"]?.int else { return nil }
        let left = drain["secondsLeft"]?.int.map { "about \(PeopleTime.length($0)) left" } ?? "as much comes as goes"
        return "\(number(done)) of \(number(of)) delivered in \(PeopleTime.length((drain["forMs"]?.int ?? 0) / 1000)), "
            + "\(number(drain["perSecond"]?.int ?? 0))/s, \(left)"
    }

    private static func size(_ quarantine: JSONValue) -> String {
        let messages = quarantine["messages"]?.int ?? 0
        guard messages > 0 else { return "empty" }
        return "\(count(messages, "message")) of at most \(number(quarantine["limitMessages"]?.int ?? 0)), "
            + "\(bytes(quarantine["bytes"]?.int ?? 0)): no broker takes \(messages == 1 ? "it" : "them")"
    }

    private static func quarantine(_ report: JSONValue, _ time: PeopleTime) -> String {
        let messages = report["quarantine"]?["messages"]?.int ?? 0
        let list = report["quarantine"]?["list"]?.elements ?? []
        guard messages > 0 else { return "" }
        let rows = list.map { letter in
            [
                letter["id"]?.text ?? "", letter["topic"]?.text ?? "", letter["type"]?.text ?? "",
                bytes(letter["bytes"]?.int ?? 0), instant(letter["withheld"]).map { time.clock($0) } ?? "-",
                letter["reason"]?.text ?? "",
            ]
        }
        var text =
            "\n" + TextColumns.text([["ID", "TOPIC", "TYPE", "SIZE", "SINCE", "REASON"]] + rows, rightAligned: [3])
        if messages > Int64(list.count) { text += "… and \(number(messages - Int64(list.count))) more\n" }
        return text
            + "\n\"lanewatch outbox release ID\" sends one again, once the cause is mended; "
            + "\"lanewatch outbox discard ID --why TEXT\" throws it away.\n"
    }

    // MARK: Words

    private static func instant(_ value: JSONValue?) -> WallInstant? {
        value?.text.flatMap { WallInstant(rfc3339: $0) }
    }

    /// `14:03:12 (12m3s ago)`.
    private static func since(_ at: WallInstant, _ time: PeopleTime) -> String {
        "\(time.clock(at)) (\(time.relative(at)))"
    }

    /// With blanks between thousands.
    public static func number(_ value: Int64) -> String {
        var digits = String(value.magnitude)
        var groups: [String] = []
        while digits.count > 3 {
            groups.insert(String(digits.suffix(3)), at: 0)
            digits.removeLast(3)
        }
        groups.insert(digits, at: 0)
        return (value < 0 ? "-" : "") + groups.joined(separator: " ")
    }

    /// The two largest units: `1m53s`.
    public static func length(_ seconds: Int64) -> String { PeopleTime.length(seconds) }

    private static func count(_ value: Int64, _ noun: String) -> String {
        "\(number(value)) \(noun)\(value == 1 ? "" : "s")"
    }

    /// `312 B`, `3.1 kB`, `3.1 MB`: thousands, with a digit behind the point where there is one before it.
    static func bytes(_ value: Int64) -> String {
        var rest = Double(value)
        for unit in ["B", "kB", "MB", "GB"] {
            if rest < 999.5 || unit == "GB" {
                let text = unit == "B" || rest >= 9.95 ? String(Int(rest.rounded())) : tenths(rest)
                return "\(text) \(unit)"
            }
            rest /= 1000
        }
        return "\(value) B"
    }

    private static func tenths(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
