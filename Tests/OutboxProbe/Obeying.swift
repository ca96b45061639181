import Glibc
import Lane
import Outbox

/// `outbox-probe obey FOLDER LIMIT COMMAND…`: does what it is told, in order, on one outbox, and says what came of it. For
/// tests that need a file system of their own under it.
///
///     commit COUNT BYTES TOPIC   so many commits of a signal and a message: `ok SEQ`, or `error CODE after N`
///     sh SCRIPT                  runs it, waits: `sh STATUS`
///     list TOPIC                 what waits: `list FIRST-LAST COUNT told T`, holes that nobody tells of as `hole A-B`
///     state                      `state ok`, or `state CODE: sentence`
///     limit KILOBYTES            no file may grow past it; 0 takes the limit away
///     reopen                     closes and opens: `opened EPOCH`, or `error CODE`
///     close                      the file alone is left
///     upkeep                     the regular look
enum Obeying {
    static func run(_ folder: String, limit: Int64, _ commands: [String]) async {
        var outbox: Outbox?
        func open() async {
            await outbox?.close()
            outbox = nil
            do throws(OutboxError) {
                var configuration = OutboxConfiguration(folder: folder, maximumBytes: limit, inFlight: 0)
                configuration.values = ["health": .health, "state": .state, "shadow": .shadow, "audit": .audit]
                configuration.maximumLogBytes = 4 << 20
                if getenv("HOLD") != nil { configuration.whenFull = .hold }
                let opened = try Outbox(configuration)
                Probe.say("opened \(opened.epoch)")
                outbox = opened
            } catch { Probe.say("error \(error.code.rawValue): \(error)") }
        }
        await open()
        for command in commands {
            let words = command.split(separator: " ").map(String.init)
            func number(_ place: Int) -> Int { place < words.count ? Int(words[place]) ?? 0 : 0 }
            if words.first == "sh" {
                Probe.say("sh \(shell(String(command.dropFirst(3))))")
                continue
            }
            if words.first == "limit" {
                signal(SIGXFSZ, SIG_IGN)
                var bounds = rlimit()
                getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &bounds)
                bounds.rlim_cur = number(1) == 0 ? bounds.rlim_max : rlim_t(number(1) << 10)
                setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &bounds)
                continue
            }
            if words.first == "close" {
                await outbox?.close()
                outbox = nil
                continue
            }
            if words.first == "reopen" {
                await open()
                continue
            }
            guard let outbox else {
                Probe.say("closed")
                continue
            }
            switch words.first {
            case "commit": await commit(outbox, number(1), number(2), words.last ?? "t")
            case "list": await list(outbox, words.last ?? "t")
            case "state": Probe.say("state " + (outbox.state.trouble.map { "\($0.code.rawValue): \($0)" } ?? "ok"))
            case "upkeep": Probe.say("upkeep \((try? await outbox.upkeep().count) ?? -1)")
            default: exit(64)
            }
        }
        await outbox?.close()
    }

    private static func commit(_ outbox: Outbox, _ count: Int, _ bytes: Int, _ topic: String) async {
        var seq: Int64 = 0
        for done in 0..<count {
            do throws(OutboxError) {
                let next = try await outbox.recover().lastSignal + 1
                var event = Probe.event(next, topic: topic).event
                event.id = nil
                event.value = Array("{\"n\":\(next),\"x\":\"\(String(repeating: "x", count: bytes))\"}".utf8)
                let committed = try await outbox.commit(
                    Commit(
                        journal: [Probe.signal(next)], events: [OutboxEvent(event)],
                        snapshot: next.isMultiple(of: 50) ? Snapshot(number: next, engine: [1]) : nil))
                seq = committed.heads[topic]?.seq ?? 0
            } catch { return Probe.say("error \(error.code.rawValue) after \(done)") }
        }
        Probe.say("ok \(seq)")
    }

    private static func list(_ outbox: Outbox, _ topic: String) async {
        var last = Position.start
        var (first, count, told): (Int64, Int, Int64) = (0, 0, 0)
        while let parcels = try? await outbox.peek(topic: topic, after: last, limit: 500), !parcels.isEmpty {
            for parcel in parcels {
                let drop = DroppedMessages(parcel)
                let begin = drop?.first ?? parcel.position.seq
                told += drop?.count ?? 0
                if parcel.position.epoch == last.epoch, begin != last.seq + 1 {
                    Probe.say("hole \(last.seq + 1)-\(begin - 1)")
                }
                if first == 0 { first = begin }
                last = parcel.position
                count += 1
            }
        }
        Probe.say("list \(first)-\(last.seq) \(count) told \(told)")
    }

    private static func shell(_ script: String) -> Int32 {
        var pid = pid_t()
        var words: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-c"), strdup(script), nil]
        defer { for word in words { free(word) } }
        guard posix_spawn(&pid, "/bin/sh", nil, nil, &words, environ) == 0 else { return -1 }
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        return status >> 8 & 0xFF
    }
}
