import CSQLite
import Glibc
import Lane
import Loop

/// What keeps the outbox whole over years: what is old is given up, free room goes back to the disk, and what was taken away
/// under it is put back.
extension Outbox {
    /// The regular look, meant for once a minute: gives up what is too old, gives free room back, looks after files.
    /// - Returns: words for the operator.
    public func upkeep() throws(OutboxError) -> [Notice] {
        let opened = try current()
        if !opened.isInPlace { try recreate(opened) }
        let (files, bytes) = opened.folder.aside()
        board.update { state in
            state.aside = files
            state.asideBytes = bytes
        }
        try giveUpOld(now: Boottime.wallMilliseconds(), boottime: Boottime.milliseconds())
        vacuumIfWorth()
        if let opened = try? current() { checkpointIfDue(opened) }
        measure()
        return takeNotices()
    }

    /// Gives up what is older than the limit of age, where the clock can be trusted; the rest of much with the next look.
    func giveUpOld(now: Int64, boottime: Int64) throws(OutboxError) {
        let isTrusted = ageClock.isTrusted(boottime: boottime, wall: now)
        guard let age = configuration.maximumAge, isTrusted else { return }
        let opened = try current()
        var isMore = true
        var rounds = 0
        while isMore, rounds < 2 {
            rounds += 1
            var dropping = Dropping(opened, at: WallInstant(milliseconds: now))
            try during("cannot give up messages in") { () throws(SQLiteFault) in
                try opened.setDurability(.full)
                try opened.database.transaction { () throws(SQLiteFault) in
                    isMore = try dropping.giveUp(before: now - age)
                }
            }
            try during("cannot read") { () throws(SQLiteFault) in try adopt(dropping, opened) }
        }
        checkpointIfDue(opened)
    }

    /// Takes over into memory and into the counts what a transaction gave up.
    func adopt(_ dropping: Dropping, _ opened: Opened) throws(SQLiteFault) {
        guard !dropping.topics.isEmpty else { return }
        for topic in dropping.topics {
            for cursor in opened.cursors[topic] ?? [] {
                opened.missing[cursor.stream] = try opened.missing(in: cursor.stream, after: cursor.acked)
            }
        }
        let missing = opened.missing.values.reduce(0, +)
        let now = WallInstant(milliseconds: Boottime.wallMilliseconds())
        board.update { state in
            state.missing = Int(clamping: missing)
            for (drop, count) in dropping.drops {
                state.dropped[drop, default: 0] += count
                if drop.reason == .full { state.lastFull = now }
            }
        }
        for (drop, count) in dropping.drops { untold[drop, default: 0] += count }
    }

    /// What was given up since the last words about it, at most one a minute and topic.
    func takeNotices() -> [Notice] {
        let now = Boottime.milliseconds()
        guard !untold.isEmpty, toldDropsAt.map({ now - $0 >= 60_000 }) ?? true else { return [] }
        toldDropsAt = now
        let notices = untold.sorted { ($0.key.topic, $0.key.reason.rawValue) < ($1.key.topic, $1.key.reason.rawValue) }
            .map { drop, count in
                Notice(
                    drop.reason == .damaged ? .error : .warning,
                    drop.reason == .damaged
                        ? "messages that were kept cannot be read any more: the outbox is damaged; the stream tells which"
                        : "messages were given up; the stream tells which",
                    [
                        .init("topic", drop.topic), .init("reason", drop.reason.rawValue),
                        .init("count", String(count)),
                    ])
            }
        untold = [:]
        return notices
    }

    // MARK: Free room

    /// Free room up to this stays in the file: it is used again soon. Bytes.
    static let keptFreeBytes: Int64 = 4 << 20
    /// Pages that one step gives back: a few milliseconds, after which whoever waits has its turn.
    static let vacuumPages = 128

    /// Begins to give free room back where there is much of it.
    func vacuumIfWorth() {
        guard !isVacuuming, let opened = try? current(), let free = try? opened.freePageCount(),
            let used = try? opened.usedBytes()
        else { return }
        let bytes = free * opened.pageSize
        guard bytes > 2 * Self.keptFreeBytes, bytes > used / 2, opened.canVacuum else { return }
        isVacuuming = true
        Task { self.vacuumStep() }
    }

    private func vacuumStep() {
        guard let opened = try? current(), let free = try? opened.freePageCount(),
            free * opened.pageSize > Self.keptFreeBytes
        else {
            isVacuuming = false
            if let opened = try? current() { opened.database.checkpoint() }
            return measure()
        }
        do throws(OutboxError) {
            try during("cannot give back room of") { () throws(SQLiteFault) in
                try opened.setDurability(.relaxed)
                try opened.database.run("PRAGMA incremental_vacuum(\(Self.vacuumPages))")
            }
        } catch {
            // It costs nothing to have the room: the next look tries again.
            isVacuuming = false
            return
        }
        vacuumSteps += 1
        let left = (try? opened.freePageCount()) ?? free
        board.update { $0.vacuumedPages += Int(clamping: max(0, free - left)) }
        checkpointIfDue(opened)
        guard left < free else {
            isVacuuming = false
            return
        }
        // Behind the calls that came meanwhile.
        Task { self.vacuumStep() }
    }

    /// Notes the sizes for whoever asks.
    func measure() {
        guard let opened = try? current() else { return }
        let used = (try? opened.usedBytes()) ?? 0
        let (file, log) = (opened.folder.databaseBytes, StateFolder.bytes(of: opened.folder.log))
        board.update { state in
            state.usedBytes = used
            state.fileBytes = file
            state.logBytes = log
        }
    }

    // MARK: What was taken away

    /// The file, its log or the folder was removed, or another was put there, while the database was open. All of it can still be
    /// read through the open descriptors: it is written anew to its place, and nothing is lost.
    func recreate(_ opened: Opened) throws(OutboxError) {
        let what =
            opened.folder.isInPlace
            ? "its file or its log was removed or replaced" : "its folder was removed or replaced"
        let folder = opened.folder.isInPlace ? opened.folder : try StateFolder(configuration.folder)
        let copy = folder.database + ".new"
        try during("cannot write anew") { () throws(SQLiteFault) in
            try folder.makeEmpty(copy)
            try opened.database.run("VACUUM INTO '\(copy.replacing("'", with: "''"))'")
        }
        let stranger = try folder.put(copy, over: opened)
        try folder.remember(epoch: opened.epoch)
        hold = .lost(damage: nil)
        self.folder = folder
        let anew = try current()
        isRewriteUntold = true
        note(
            Replacement(
                cause: what, aside: stranger, formerEpoch: anew.epoch, epoch: anew.epoch,
                salvaged: anew.everything, at: WallInstant(milliseconds: Boottime.wallMilliseconds())))
    }

    func note(_ replacement: Replacement) {
        board.add(replacement)
        board.update { $0.replacements += 1 }
    }
}

extension Opened {
    var everything: Salvaged {
        var salvaged = Salvaged()
        salvaged.messages = Int(clamping: cursors.values.joined().reduce(0) { $0 + $1.waiting })
        salvaged.hasCheckpoint = lastSignal > 0
        return salvaged
    }
}

extension StateFolder {
    /// An empty file that is the agent's alone.
    func makeEmpty(_ path: String) throws(SQLiteFault) {
        _ = unlink(path)
        let raw = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard raw >= 0 else {
            throw SQLiteFault(code: SQLITE_IOERR, message: "cannot make \(path)", systemCode: errno)
        }
        _ = close(raw)
    }

    /// Puts `copy` into the database's place for good. What is there and is not the open database's is moved aside.
    /// - Returns: where to, if anything was.
    func put(_ copy: String, over opened: Opened) throws(OutboxError) -> String? {
        try persist(copy)
        var aside: String?
        if let found = Self.file(at: database), found != opened.file, Self.bytes(of: database) > 0 {
            aside = try moveAside(salvaging: false)
        }
        for path in [log, database + "-shm"] { _ = unlink(path) }
        guard rename(copy, database) == 0 else { throw refusal("cannot put \(copy) into its place") }
        sync()
        return aside
    }
}

extension String {
    fileprivate func replacing(_ old: Character, with new: String) -> String {
        reduce(into: "") { text, character in
            if character == old { text += new } else { text.append(character) }
        }
    }
}
