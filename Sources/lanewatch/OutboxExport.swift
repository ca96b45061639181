import Agent
import CLinux
import CommandLine
import Glibc
import Lane
import Loop
import Outbox

/// `lanewatch outbox export`: messages as JSON lines.
enum OutboxExport {
    static func perform(_ arguments: Arguments) -> Int32 {
        let reader: OutboxReader
        do throws(OutboxError) {
            if let file = arguments[Table.exportFile] {
                reader = try OutboxReader.copy(of: file)
            } else {
                guard let folder = OutboxCommand.place(arguments).folder() else { return 1 }
                guard let live = try OutboxReader.live(folder: folder) else {
                    return OutboxCommand.fail("no outbox in \(folder): no agent has ever run there")
                }
                reader = live
            }
        } catch {
            return OutboxCommand.fail(error.description)
        }
        guard let sink = Sink(arguments[Table.exportOut]) else { return 1 }
        var work = Work(reader: reader, sink: sink, topics: arguments.all(Table.exportTopic))
        work.run(isQuarantine: arguments.has(Table.exportQuarantine))
        return sink.close(count: work.count, faults: work.faults)
    }

    /// Where the lines go.
    final class Sink {
        /// Owned; nil for standard output.
        private let descriptor: Int32?
        private let path: String
        private var bytes: [UInt8] = []
        private var fault: Int32 = 0

        /// Nil, with a word on standard error, where the file cannot be made. One that is there is left alone.
        init?(_ path: String?) {
            self.path = path ?? "standard output"
            guard let path else {
                descriptor = nil
                return
            }
            let raw = lw_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
            guard raw >= 0 else {
                let code = errno
                let why = code == EEXIST ? "it is there already; choose another name" : SystemError.text(of: code)
                _ = OutboxCommand.fail("cannot make \(path): \(why)")
                return nil
            }
            descriptor = raw
        }

        deinit { if let descriptor { _ = Glibc.close(descriptor) } }

        var isBroken: Bool { fault != 0 || Terminal.isBroken }

        func write(_ line: [UInt8]) {
            bytes += line
            if bytes.count >= 1 << 16 { flush() }
        }

        private func flush() {
            defer { bytes.removeAll(keepingCapacity: true) }
            guard let raw = descriptor else { return Terminal.out(String(decoding: bytes, as: UTF8.self)) }
            var done = 0
            while done < bytes.count, fault == 0 {
                let count = bytes.withUnsafeBytes {
                    Glibc.write(raw, $0.baseAddress.map { $0 + done }, $0.count - done)
                }
                if count >= 0 { done += count } else if errno != EINTR { fault = errno }
            }
        }

        func close(count: Int, faults: [String]) -> Int32 {
            flush()
            Terminal.flush()
            if let raw = descriptor, fault == 0, fsync(raw) != 0 { fault = errno }
            for said in faults { _ = OutboxCommand.fail(said) }
            if fault != 0 { return OutboxCommand.fail("cannot write \(path): \(SystemError.text(of: fault))") }
            if descriptor != nil || !faults.isEmpty {
                Terminal.error("\(OutboxText.number(Int64(count))) message\(count == 1 ? "" : "s") in \(path)\n")
            }
            return faults.isEmpty && !isBroken ? 0 : 1
        }
    }

    struct Work {
        let reader: OutboxReader
        let sink: Sink
        /// Empty: all.
        let topics: [String]
        var count = 0
        var faults: [String] = []

        mutating func run(isQuarantine: Bool) {
            do throws(OutboxError) {
                let contents = try reader.contents(listing: isQuarantine ? .max : 0)
                let names = isQuarantine ? Set(contents.letters.map(\.topic)) : Set(contents.depths.map(\.topic))
                for topic in topics where !names.contains(topic) {
                    faults.append(
                        "nothing of topic \"\(topic)\" is here; there is: \(names.sorted().joined(separator: ", "))")
                }
                let progress = Progress(
                    "exporting", total: isQuarantine ? contents.quarantine.bytes : contents.usedBytes)
                defer { progress.end() }
                if isQuarantine {
                    for letter in contents.letters where isWanted(letter.topic) && !sink.isBroken {
                        guard let parcel = try reader.deadLetter(letter.mark) else { continue }
                        write(parcel, letter, progress)
                    }
                } else {
                    for depth in contents.depths where isWanted(depth.topic) { export(depth, progress) }
                }
            } catch {
                faults.append(error.description)
            }
        }

        private func isWanted(_ topic: String) -> Bool { topics.isEmpty || topics.contains(topic) }

        /// In pieces, so that no read of the file lasts long. What comes meanwhile is not waited for: it ends with what was
        /// there at the beginning.
        private mutating func export(_ depth: TopicDepth, _ progress: Progress) {
            var after = depth.settled
            do throws(OutboxError) {
                while after < depth.head, !sink.isBroken {
                    let parcels = try reader.parcels(topic: depth.topic, after: after)
                    for parcel in parcels where parcel.position <= depth.head {
                        if !parcel.tellsOfDropped { try miss(depth.topic, behind: after, before: parcel.position) }
                        write(parcel, nil, progress)
                        after = parcel.position
                    }
                    guard parcels.last.map({ $0.position <= depth.head }) ?? false else {
                        let end = Position(epoch: depth.head.epoch, seq: depth.head.seq + 1)
                        return try miss(depth.topic, behind: after, before: end)
                    }
                }
            } catch {
                faults.append("\(depth.topic), behind \(after): \(error)")
            }
        }

        /// Between `after` and `next` nothing was found: it is damaged, or was delivered while this was reading.
        private mutating func miss(
            _ topic: String, behind after: Position, before next: Position
        ) throws(OutboxError) {
            guard after.epoch == next.epoch, next.seq > after.seq + 1 else { return }
            let settled = try reader.contents(listing: 0).depths.first { $0.topic == topic }?.settled ?? .start
            let first = max(after.seq, settled.epoch == after.epoch ? settled.seq : after.seq) + 1
            guard settled.epoch <= after.epoch, first < next.seq else { return }
            faults.append(
                "\(topic): \(first) to \(next.seq - 1) of epoch \(next.epoch) cannot be read: they are damaged")
        }

        private mutating func write(_ parcel: Parcel, _ letter: DeadLetter?, _ progress: Progress) {
            let line = parcel.structured(letter)
            sink.write(line)
            count += 1
            progress.add(line.count)
        }
    }
}

extension Parcel {
    /// It stands for messages before it that were given up: the gap before it is told.
    fileprivate var tellsOfDropped: Bool { headers["ce_type"] == "sco.messages.dropped.v1" }

    /// A CloudEvent in JSON format, and a line feed: the headers as attributes without `ce_`, the topic, the data as it is.
    /// Source: CloudEvents JSON format 1.0.2, section 3.
    func structured(_ letter: DeadLetter?) -> [UInt8] {
        var json = JSONWriter(reserving: headers.bytes.count + (value?.count ?? 0) + 256)
        json.object { json in
            for header in headers.headers {
                if header.name.hasPrefix("ce_") {
                    json.member(String(header.name.dropFirst(3)), header.value)
                } else if header.name == "content-type" {
                    json.member("datacontenttype", header.value)
                }
            }
            json.member("topic", topic)
            if let letter {
                json.member("withheldtime", letter.moved.rfc3339)
                json.member("withheldreason", letter.reason)
            }
            guard let value else { return }
            if (try? JSONValue(parsing: value)) != nil {
                json.name("data")
                json.raw(value)
            } else {
                json.member("data_base64", Self.base64(value))
            }
        }
        json.endLine()
        return json.bytes
    }

    /// Source: RFC 4648, section 4.
    static func base64(_ bytes: [UInt8]) -> String {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var out: [UInt8] = []
        out.reserveCapacity((bytes.count + 2) / 3 * 4)
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let three = bytes[start..<min(start + 3, bytes.count)]
            let bits = three.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - three.count))
            for place in 0..<4 {
                out.append(place <= three.count ? digits[bits >> (18 - 6 * place) & 63] : UInt8(ascii: "="))
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
