import Agent
import Lane
import Rules

/// `lanewatch replay --against`: what an edit of rules would have changed.
struct ReplayAgainst {
    var old: RuleSet
    var new: RuleSet
    var store: String

    func perform(_ recordings: [String], isSummary: Bool, asJSON: Bool) -> Int32 {
        if recordings.contains("-") {
            Terminal.error("lanewatch replay: --against reads a recording twice; give a file, not standard input\n")
            return 2
        }
        let total = recordings.reduce(Int64(0)) { $0 + RecordingRun.size(of: $1) }
        let progress = Progress("comparing", total: 2 * total)
        var comparison = RuleComparison()
        var counts = Replay.Counts()
        for path in recordings {
            let parts = RecordingRun.parts(for: path, others: 2)
            let replays = [old, new].flatMap { set in
                (0..<parts).map { Replay(set, store: store, keepsEpisodes: true, part: $0, of: parts) }
            }
            switch RecordingRun.run(path, replays, "replay", progress) {
            case .failure(let failure):
                progress.end()
                Terminal.error(failure.message)
                return failure.code
            case .success(let replays):
                var (before, after) = (Array(replays[..<parts]), Array(replays[parts...]))
                do throws(ReplayFault) {
                    let now = try Replay.episodes(&after)
                    comparison.add(old: try Replay.episodes(&before), new: now)
                    counts.signals += now.counts.signals
                    counts.ignored += now.counts.ignored
                } catch {
                    progress.end()
                    Terminal.error(RecordingRun.failure(error, path).message)
                    return 1
                }
            }
        }
        progress.end()
        if asJSON { tellJSON(comparison, recordings) } else { tell(comparison, recordings, isSummary) }
        Terminal.flush()
        let files = recordings.count == 1 ? "" : " in \(recordings.count) recordings"
        Terminal.error(
            "\(counts.signals) signals\(files); \(comparison.total.before) interventions before, \(comparison.total.now) now\n"
        )
        return 0
    }

    // MARK: For people

    private func tell(_ comparison: RuleComparison, _ recordings: [String], _ isSummary: Bool) {
        guard comparison.total.isChanged else {
            Terminal.out("nothing would have changed\n")
            return
        }
        if !isSummary {
            for difference in comparison.differences {
                let place = recordings.count > 1 ? recordings[difference.recording] + ": " : ""
                let lane = comparison.lanes.count > 1 ? difference.lane + ": " : ""
                let colour = difference.old == nil ? "32" : difference.new == nil ? "31" : "33"
                Terminal.out(Terminal.coloured(place + lane + difference.text, colour) + "\n")
            }
            Terminal.out("\n")
        }
        let known = Set(old.rules.map(\.id)), knownNow = Set(new.rules.map(\.id))
        tellTable("rule", comparison.rules, comparison.total) { rule in
            !known.contains(rule) ? " (new)" : !knownNow.contains(rule) ? " (removed)" : ""
        }
        if comparison.lanes.count > 1 {
            Terminal.out("\n")
            tellTable("lane", comparison.lanes, comparison.total) { _ in "" }
        }
    }

    private func tellTable(
        _ what: String, _ counts: [String: RuleComparison.Counts], _ total: RuleComparison.Counts,
        _ remark: (String) -> String
    ) {
        let changed = counts.filter(\.value.isChanged).sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        var rows = [
            [what, "before", "now", "raised", "not any more", "earlier", "later", "longer", "shorter", "otherwise"]
        ]
        func row(_ name: String, _ counts: RuleComparison.Counts) -> [String] {
            let changes = [
                counts.raised, counts.gone, counts.earlier, counts.later, counts.longer, counts.shorter,
                counts.otherwise,
            ]
            return [name, "\(counts.before)", "\(counts.now)"] + changes.map { $0 == 0 ? "." : "\($0)" }
        }
        for (name, counts) in changed { rows.append(row(name + remark(name), counts)) }
        if changed.count > 1 { rows.append(row("together", total)) }
        Terminal.out(TextColumns.text(rows, rightAligned: Set(1..<rows[0].count)))
        let same = counts.count - changed.count
        if same > 0 { Terminal.out(same == 1 ? "1 other \(what) as before\n" : "\(same) other \(what)s as before\n") }
    }

    // MARK: For programs

    private func tellJSON(_ comparison: RuleComparison, _ recordings: [String]) {
        for difference in comparison.differences {
            var json = JSONWriter()
            json.object { json in
                json.member("kind", "difference")
                json.member("recording", recordings[difference.recording])
                json.member("lane", difference.lane)
                json.member("rule", (difference.new ?? difference.old)?.rule ?? "")
                json.name("key")
                json.object { json in
                    for part in (difference.new ?? difference.old)?.key ?? [] { json.member(part.name, part.value) }
                }
                json.name("old")
                write(difference.old, &json)
                json.name("new")
                write(difference.new, &json)
                json.name("words")
                json.array { json in for word in difference.words { json.value(word) } }
            }
            Terminal.out(json.text + "\n")
        }
        for (kind, table) in [("rule", comparison.rules), ("lane", comparison.lanes)] {
            for (name, counts) in table.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
                var json = JSONWriter()
                json.object { json in
                    json.member("kind", kind)
                    json.member(kind, name)
                    json.member("before", counts.before)
                    json.member("now", counts.now)
                    json.member("raised", counts.raised)
                    json.member("not_any_more", counts.gone)
                    json.member("earlier", counts.earlier)
                    json.member("later", counts.later)
                    json.member("longer", counts.longer)
                    json.member("shorter", counts.shorter)
                    json.member("otherwise", counts.otherwise)
                }
                Terminal.out(json.text + "\n")
            }
        }
    }

    private func write(_ episode: Episode?, _ json: inout JSONWriter) {
        guard let episode else { return json.null() }
        json.object { json in
            json.member("raised_t", episode.raisedAt)
            json.member("cleared_t", orNull: episode.clearedAt)
            json.member("severity", episode.severity.name)
        }
    }
}
