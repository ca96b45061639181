import Lane

extension EngineRecord {
    static let format: Int64 = 1

    func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("format", Self.format)
            json.member("source", source)
            json.member("rules", digest)
            json.member("now", now)
            json.member("wallOffset", wallOffset)
            json.member("phase", orNull: phase)
            json.member("change", changeNumber)
            json.member("arm", nextArm)
            if !newIDs.isEmpty { json.texts("ids", newIDs.map(\.description)) }
            json.list("states", states) { json, state in
                json.member("name", state.name)
                json.member("value", orNull: state.value)
                json.member("since", state.since)
                json.member("remembered", orNull: state.remembered)
                if state.remembered != nil { json.member("resync", state.resyncUntil) }
                if state.isAssumed { json.member("assumed", true) }
            }
            json.list("memory", rules) { json, rule in rule.write(to: &json) }
            json.list("strays", strays) { json, stray in
                json.member("reason", stray.reason.rawValue)
                stray.active.write(to: &json)
            }
            json.name("ledger")
            ledger.write(to: &json)
        }
    }

    init(parsing bytes: [UInt8]) throws(SnapshotFault) {
        let value: JSONValue
        do throws(JSONFault) { value = try JSONValue(parsing: bytes) } catch {
            throw SnapshotFault("the snapshot is not JSON: \(error.message), at its byte \(error.offset + 1)")
        }
        guard value["format"]?.int == Self.format else {
            throw SnapshotFault("the snapshot is not of format \(Self.format)")
        }
        let reader = RecordReader(value)
        self.init()
        source = try reader.text("source")
        digest = try reader.text("rules")
        now = try reader.int("now")
        wallOffset = try reader.int("wallOffset")
        phase = value["phase"]?.text
        changeNumber = min(max(0, try reader.int("change")), 1 << 60)
        nextArm = try reader.int("arm")
        newIDs = (value["ids"]?.elements ?? []).compactMap { $0.text.flatMap { LaneUUID($0) } }
        states = try reader.list("states") { state throws(SnapshotFault) in
            StateRecord(
                name: try state.text("name"), value: state.value["value"]?.text, since: try state.int("since"),
                remembered: state.value["remembered"]?.text, resyncUntil: state.value["resync"]?.int ?? .min,
                isAssumed: state.value["assumed"]?.bool ?? false)
        }
        rules = try reader.list("memory") { rule throws(SnapshotFault) in try RuleRecord(rule) }
        strays = try reader.list("strays") { stray throws(SnapshotFault) in
            guard let reason = Intervention.ClearReason(rawValue: try stray.text("reason")) else {
                throw stray.fault("reason")
            }
            return StrayRecord(active: try ActiveRecord(stray), reason: reason)
        }
        // Older versions kept none.
        ledger = LedgerRecord(value["ledger"])
    }
}

extension RuleRecord {
    fileprivate func write(to json: inout JSONWriter) {
        json.member("id", id)
        json.member("print", fingerprint.description)
        if !waits.isEmpty {
            json.list("waits", waits) { json, wait in
                json.texts("key", wait.key)
                json.member("since", wait.since)
                json.timer("timer", wait.timer)
                json.traces(wait.traces)
                json.name("times")
                json.array { json in for time in wait.times { json.value(time) } }
            }
        }
        if let lasting {
            json.name("lasting")
            json.object { json in
                json.member("phase", lasting.phase.rawValue)
                json.member("start", lasting.start)
                json.timer("timer", lasting.timer)
                json.traces(lasting.traces)
                json.member("suspended", lasting.isSuspended)
                json.member("broken", lasting.isBroken)
                if lasting.isAssumed { json.member("assumed", true) }
            }
        }
        if !active.isEmpty { json.list("active", active) { json, active in active.write(to: &json) } }
        if !clears.isEmpty {
            json.list("clears", clears) { json, clear in
                json.texts("key", clear.key)
                json.member("at", clear.at)
            }
        }
    }

    fileprivate init(_ reader: RecordReader) throws(SnapshotFault) {
        id = try reader.text("id")
        guard let fingerprint = LaneUUID(try reader.text("print")) else { throw reader.fault("print") }
        self.fingerprint = fingerprint
        waits = try reader.list("waits", isOptional: true) { wait throws(SnapshotFault) in
            WaitRecord(
                key: try wait.texts("key"), since: try wait.int("since"), timer: wait.timer("timer"),
                traces: try wait.traces(), times: (wait.value["times"]?.elements ?? []).compactMap(\.int))
        }
        if let value = reader.value["lasting"] {
            let lasting = RecordReader(value)
            guard let phase = Lasting.Phase(rawValue: try lasting.text("phase")) else { throw lasting.fault("phase") }
            self.lasting = LastingRecord(
                phase: phase, start: try lasting.int("start"), timer: lasting.timer("timer"),
                traces: try lasting.traces(), isSuspended: value["suspended"]?.bool ?? false,
                isBroken: value["broken"]?.bool ?? false, isAssumed: value["assumed"]?.bool ?? false)
        }
        active = try reader.list("active", isOptional: true) { one throws(SnapshotFault) in try ActiveRecord(one) }
        clears = try reader.list("clears", isOptional: true) { clear throws(SnapshotFault) in
            ClearRecord(key: try clear.texts("key"), at: try clear.int("at"))
        }
    }
}

extension ActiveRecord {
    fileprivate func write(to json: inout JSONWriter) {
        json.texts("key", key)
        json.member("id", intervention.id.description)
        json.member("rule", intervention.rule)
        json.member("title", intervention.title)
        json.member("category", intervention.category)
        json.member("severity", intervention.severity.name)
        json.member("topic", intervention.topic)
        if !intervention.earlierTopics.isEmpty { json.texts("topics", intervention.earlierTopics) }
        json.list("parts", intervention.key) { json, part in
            json.member("name", part.name)
            json.member("value", part.value)
        }
        json.member("state", intervention.state.rawValue)
        json.member("revision", intervention.revision)
        json.member("repeats", intervention.repeats)
        json.member("phase", orNull: intervention.phase)
        json.member("raisedWall", intervention.raisedAt.milliseconds)
        json.member("remote", intervention.remoteResolvable)
        json.member("shadow", intervention.shadow)
        json.member("lateBy", orNull: intervention.lateBy)
        if intervention.assumed { json.member("assumed", true) }
        json.member("expires", orNull: intervention.expires?.milliseconds)
        json.member("raisedAt", raisedAt)
        json.member("toldAt", toldAt)
        json.traces(traces)
        json.name("escalations")
        json.array { json in for timer in escalations { json.timer(timer) } }
        json.name("told")
        json.array { json in for isTold in isEscalated { json.value(isTold) } }
        json.timer("clearAfter", clearAfter)
    }

    fileprivate init(_ reader: RecordReader) throws(SnapshotFault) {
        guard let id = LaneUUID(try reader.text("id")) else { throw reader.fault("id") }
        guard let severity = Severity(name: try reader.text("severity")) else { throw reader.fault("severity") }
        guard let state = Intervention.State(rawValue: try reader.text("state")) else { throw reader.fault("state") }
        let parts = try reader.list("parts") { part throws(SnapshotFault) in
            KeyPart(name: try part.text("name"), value: try part.text("value"))
        }
        var intervention = Intervention(
            id: id, rule: try reader.text("rule"), title: try reader.text("title"),
            category: try reader.text("category"), severity: severity, topic: try reader.text("topic"), key: parts,
            raisedAt: WallInstant(milliseconds: try reader.int("raisedWall")), evidence: [],
            phase: reader.value["phase"]?.text, remoteResolvable: reader.value["remote"]?.bool ?? false,
            shadow: reader.value["shadow"]?.bool ?? false, lateBy: reader.value["lateBy"]?.int,
            expires: reader.value["expires"]?.int.map { WallInstant(milliseconds: $0) })
        intervention.assumed = reader.value["assumed"]?.bool ?? false
        // Absent in snapshots of versions that told one topic alone.
        intervention.earlierTopics = (reader.value["topics"]?.elements ?? []).compactMap(\.text)
            .suffix(Intervention.maximumEarlierTopics)
        intervention.state = state
        intervention.revision = try reader.count("revision")
        intervention.repeats = try reader.count("repeats")
        self.intervention = intervention
        key = try reader.texts("key")
        raisedAt = try reader.int("raisedAt")
        toldAt = try reader.int("toldAt")
        traces = try reader.traces()
        escalations = (reader.value["escalations"]?.elements ?? []).map { RecordReader.timer($0) }
        isEscalated = (reader.value["told"]?.elements ?? []).map { $0.bool ?? false }
        clearAfter = reader.timer("clearAfter")
    }
}

// MARK: Pieces

extension JSONWriter {
    fileprivate mutating func list<Element>(
        _ name: String, _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
    ) {
        self.name(name)
        array { json in for element in elements { json.object { body(&$0, element) } } }
    }

    fileprivate mutating func texts(_ name: String, _ texts: [String]) {
        self.name(name)
        array { json in for text in texts { json.value(text) } }
    }

    fileprivate mutating func timer(_ timer: TimerRecord?) {
        guard let timer else { return null() }
        array { json in
            json.value(timer.deadline)
            json.value(timer.arm)
            json.value(timer.late)
        }
    }

    fileprivate mutating func timer(_ name: String, _ timer: TimerRecord?) {
        self.name(name)
        self.timer(timer)
    }

    fileprivate mutating func traces(_ traces: [Trace]) {
        list("traces", traces) { json, trace in
            json.member("at", trace.evidence.at.milliseconds)
            json.member("type", trace.evidence.type.name)
            json.member("traceparent", orNull: trace.traceparent)
            json.name("attributes")
            json.object { json in
                for attribute in trace.evidence.attributes {
                    json.name(attribute.name.name)
                    json.value(attribute.value)
                }
            }
        }
    }
}

/// Reads members of an object, or says which one is wrong.
private struct RecordReader {
    let value: JSONValue

    init(_ value: JSONValue) { self.value = value }

    func fault(_ name: String) -> SnapshotFault { SnapshotFault("the snapshot's \"\(name)\" is missing or wrong") }

    func text(_ name: String) throws(SnapshotFault) -> String {
        guard let text = value[name]?.text else { throw fault(name) }
        return text
    }

    func int(_ name: String) throws(SnapshotFault) -> Int64 {
        guard let number = value[name]?.int else { throw fault(name) }
        return number
    }

    /// Not negative, and small enough to be added to.
    func count(_ name: String) throws(SnapshotFault) -> Int { Int(min(max(0, try int(name)), 1 << 60)) }

    func texts(_ name: String) throws(SnapshotFault) -> [String] {
        guard let elements = value[name]?.elements else { throw fault(name) }
        var texts: [String] = []
        for element in elements {
            guard let text = element.text else { throw fault(name) }
            texts.append(text)
        }
        return texts
    }

    func list<Element>(
        _ name: String, isOptional: Bool = false, _ body: (RecordReader) throws(SnapshotFault) -> Element
    ) throws(SnapshotFault) -> [Element] {
        guard let elements = value[name]?.elements else {
            if isOptional { return [] }
            throw fault(name)
        }
        var found: [Element] = []
        for element in elements { found.append(try body(RecordReader(element))) }
        return found
    }

    func timer(_ name: String) -> TimerRecord? { value[name].flatMap { Self.timer($0) } }

    static func timer(_ value: JSONValue) -> TimerRecord? {
        guard let numbers = value.elements, numbers.count == 3, let deadline = numbers[0].int, let arm = numbers[1].int,
            let late = numbers[2].int
        else { return nil }
        return TimerRecord(deadline: deadline, arm: arm, late: late)
    }

    /// Signals of types or with attributes that this build does not know are left out: they are evidence, nothing waits on them.
    func traces() throws(SnapshotFault) -> [Trace] {
        try list("traces") { trace throws(SnapshotFault) -> Trace? in
            guard let type = SignalType(try trace.text("type")) else { return nil }
            var attributes: [Attribute] = []
            for member in trace.value["attributes"]?.members ?? [] {
                guard let name = AttributeName(member.name) else { continue }
                if let text = member.value.text { attributes.append(Attribute(name, .text(text))) }
                if let number = member.value.int { attributes.append(Attribute(name, .int(number))) }
            }
            let evidence = Evidence(
                at: WallInstant(milliseconds: try trace.int("at")), type: type, attributes: attributes)
            return Trace(evidence: evidence, traceparent: trace.value["traceparent"]?.text)
        }.compactMap { $0 }
    }
}
