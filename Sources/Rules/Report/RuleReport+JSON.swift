import Lane

extension RuleReport {
    /// Its members, for the answer of a control socket (docs/reference/control.md). `now` is what `inMs` counts from.
    public func write(to json: inout JSONWriter, now: WallInstant) {
        json.name("same")
        json.array { json in for name in same { json.value(name) } }
        json.list("guards", terms) { json, term in
            json.member("needs", term.text)
            json.member("value", orNull: term.current)
            json.member("holds", term.holds)
        }
        json.member("holds", holds)
        json.name("at")
        if let at {
            json.object { json in
                json.member("span", RuleSummary.text(at))
                json.member("inside", isInside)
            }
        } else {
            json.null()
        }
        json.member("silencedUntil", orNull: silencedUntil?.rfc3339)
        json.list("mutedBy", muters) { json, muter in
            json.member("rule", muter.rule)
            json.member("active", muter.isActive)
            if muter.isIgnored { json.member("ignored", true) }
        }
        json.list("waits", waits) { json, wait in
            json.key(wait.key)
            json.member("since", wait.since.rfc3339)
            json.moment("due", wait.due, now)
        }
        json.member("waitCount", waitCount)
        json.list("counts", counts) { json, count in
            json.key(count.key)
            json.member("count", count.count)
            json.member("of", count.of)
            json.member("withinMs", count.within)
            json.member("oldest", count.oldest.rfc3339)
            json.moment("until", count.until, now)
        }
        json.member("countCount", countCount)
        if let lasting {
            json.name("lasting")
            json.object { json in
                json.member("phase", lasting.phase.rawValue)
                json.member("since", orNull: lasting.since?.rfc3339)
                if let due = lasting.due { json.moment("due", due, now) }
            }
        }
        json.list("active", active) { json, active in
            json.member("intervention", active.id.description)
            json.key(active.key)
            json.member("severity", active.severity.name)
            json.member("raisedAt", active.raised.rfc3339)
            json.member("repeats", active.repeats)
            if let escalates = active.escalates, let severity = active.escalatesTo {
                json.moment("escalates", escalates, now)
                json.member("escalatesTo", severity.name)
            }
            if let clears = active.clears { json.moment("clears", clears, now) }
        }
        json.member("activeCount", activeCount)
        json.list("cooldowns", cooldowns) { json, cooldown in
            json.key(cooldown.key)
            json.moment("until", cooldown.until, now)
        }
        json.member("cooldownCount", cooldownCount)
    }
}

extension RuleTally {
    /// Its members: `fired`, `cleared`, `suppressed`, `lastFired`, `judged`, `false`, `precision`, `verdicts`.
    public func write(to json: inout JSONWriter) {
        json.member("fired", fired)
        json.member("cleared", cleared)
        json.member("suppressed", suppressed)
        json.member("lastFired", orNull: lastFired?.rfc3339)
        json.member("judged", judged)
        json.member("false", falseAlarms)
        json.name("precision")
        if let thousandths = precisionPerMille {
            let digits = String(1000 + thousandths % 1000).dropFirst()
            json.raw(Array("\(thousandths / 1000).\(digits)".utf8))
        } else {
            json.null()
        }
        json.name("verdicts")
        json.object { json in
            for verdict in Verdict.allCases where self[verdict] > 0 { json.member(verdict.rawValue, self[verdict]) }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func list<Element>(
        _ name: String, _ elements: [Element], _ body: (inout JSONWriter, Element) -> Void
    ) {
        self.name(name)
        array { json in for element in elements { json.object { body(&$0, element) } } }
    }

    fileprivate mutating func key(_ key: RuleReport.Key) {
        name("key")
        object { json in for part in key { json.member(part.name, part.value) } }
    }

    /// The moment, and how far it is from now.
    fileprivate mutating func moment(_ name: String, _ at: WallInstant, _ now: WallInstant) {
        member(name, at.rfc3339)
        member(name + "InMs", RuleEngine.difference(at.milliseconds, now.milliseconds))
    }
}
