import CLinux
import Glibc
import Loop
import Net

/// Those who were let in: the encoder's bytes out, the client's messages in, and their deadlines.
extension Gate {
    func begin(_ connection: GateConnection, _ visitor: Visitor, _ link: InnerLink) {
        let now = Boottime.milliseconds()
        let passage = Passage(
            visitor, link, messagesPerSecond: options.messagesPerSecond, since: connection.resumedSince, now: now)
        do throws(SystemError) {
            try EventLoop.shared.watch(link.descriptor, for: .readable) { [weak self, weak connection] readiness in
                guard let self, let connection else { return }
                self.inside(connection, readiness)
            }
        } catch {
            reception.didLeave(visitor, .noRoom)
            return finish(connection, .noRoom, code: 1013, "try again later")
        }
        connection.passage = passage
        connection.stage = .passing
        connection.handshake = nil
        connection.isWaiting = false
        if let deadline = connection.deadline { EventLoop.shared.cancel(deadline) }
        connection.deadline = nil
        counts.waiting -= 1
        counts.present += 1
        counts.visitors += 1
        watchLife(connection, passage)
        if connection.isPage {
            connection.output.append(
                PageNews.resume(resumes.give(visitor.grant, visitor: visitor.id, since: passage.since)))
        }
        reception.didEnter(visitor)
    }

    // MARK: Out

    /// The encoder has something, or has room again.
    private func inside(_ connection: GateConnection, _ readiness: EventLoop.Readiness) {
        guard isOpen(connection), let passage = connection.passage else { return }
        if readiness.contains(.writable) {
            guard passage.link.flush() else { return finish(connection, .attendantEnded, code: 1011) }
            if !passage.link.wantsWritable { goOn(connection) }
        }
        if !readiness.isDisjoint(with: [.readable, .hangUp, .failure]) { pump(connection, passage) }
        settle(connection)
    }

    /// Takes what the encoder has, always and at once: an encoder that has to wait for the network would hold its thread.
    private func pump(_ connection: GateConnection, _ passage: Passage) {
        let room = UnsafeMutableRawBufferPointer(rebasing: scratch.bytes[Scratch.headRoom...])
        for _ in 0..<8 {
            let count: Int
            do throws(RFBRefusal) {
                switch try passage.link.read(into: room) {
                case .nothing: return sent(connection, passage)
                case .ended: return finish(connection, .attendantEnded, code: 1001)
                case .bytes(let found): count = found
                }
            } catch {
                tell("an attendant's encoder is not to be understood", ["reason": error.description])
                return finish(connection, .attendantEnded, code: 1011)
            }
            counts.bytesOut += count
            passage.bytesOut += count
            guard carry(connection, count) else { return close(connection, connection.end) }
        }
        sent(connection, passage)
    }

    /// Carries the first `count` bytes behind the head's room of the scratch to the client, without a copy where it takes them.
    private func carry(_ connection: GateConnection, _ count: Int) -> Bool {
        var start = Scratch.headRoom
        if connection.webSocket != nil {
            let head = WebSocketFrame.binaryHead(count)
            start -= head.count
            for (place, byte) in head.enumerated() { scratch.bytes[start + place] = byte }
        }
        var rest = UnsafeRawBufferPointer(rebasing: scratch.bytes[start..<(Scratch.headRoom + count)])
        while connection.output.isEmpty, !rest.isEmpty {
            switch connection.outer.write(rest) {
            case .done(let taken): rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            case .wantsRead, .wantsWrite: connection.output.append(Array(rest))
            case .closed, .failed: return false
            }
            if !connection.output.isEmpty { return true }
        }
        connection.output.append(Array(rest))
        return true
    }

    private func sent(_ connection: GateConnection, _ passage: Passage) {
        guard connection.output.count <= options.heldBytes else {
            tell("a visitor takes too little of what it asks for", ["address": connection.address.text])
            return close(connection, .overrun)
        }
        watchProgress(connection, passage)
    }

    func settle(_ passage: Passage) {
        let wanted: EventLoop.Readiness = passage.link.wantsWritable ? [.readable, .writable] : .readable
        guard wanted != passage.linkInterest else { return }
        passage.linkInterest = wanted
        EventLoop.shared.setInterest(passage.link.descriptor, wanted)
    }

    // MARK: In

    /// Cuts the stash into messages and hands them on. False where the rest has to wait.
    func passOn(_ connection: GateConnection) -> Bool {
        guard let passage = connection.passage else { return false }
        guard !passage.isResting, !passage.link.wantsWritable else { return false }
        var messages: [UInt8] = []
        let now = Boottime.milliseconds()
        let bytes = connection.stash
        connection.stash = []
        do throws(RFBRefusal) {
            let count = try passage.framer.feed(bytes, into: &messages)
            rest(connection, passage, passage.pace.take(count, now: now))
        } catch {
            tell(
                "a visitor sent what no viewer sends",
                ["address": connection.address.text, "reason": error.description])
            finish(connection, .garbage, code: 1002, "no RFB message that is understood here")
            return false
        }
        counts.bytesIn += messages.count
        passage.bytesIn += messages.count
        guard passage.link.send(messages) else {
            finish(connection, .attendantEnded, code: 1011)
            return false
        }
        return true
    }

    private func rest(_ connection: GateConnection, _ passage: Passage, _ milliseconds: Int64) {
        guard milliseconds > 0 else { return }
        passage.isResting = true
        counts.rests += 1
        EventLoop.shared.schedule(inMilliseconds: milliseconds) { [weak self, weak connection, weak passage] in
            guard let self, let connection, let passage, connection.passage === passage else { return }
            passage.isResting = false
            self.goOn(connection)
        }
    }

    // MARK: Deadlines

    /// While bytes wait, here or in the kernel, some have to reach the peer. Nothing is watched while all have.
    func watchProgress(_ connection: GateConnection, _ passage: Passage) {
        passage.link.unsent = connection.output.count
        guard passage.progress == nil else { return }
        passage.reached = connection.outer.reachedBytes
        passage.reachedAt = Boottime.milliseconds()
        armProgress(connection, passage)
    }

    private func armProgress(_ connection: GateConnection, _ passage: Passage) {
        let step = max(10, Int64(options.stallSeconds * 1000 / 3))
        passage.progress = EventLoop.shared.schedule(inMilliseconds: step) {
            [weak self, weak connection, weak passage] in
            guard let self, let connection, let passage, connection.passage === passage else { return }
            passage.progress = nil
            let reached = connection.outer.reachedBytes
            let now = Boottime.milliseconds()
            if reached != passage.reached {
                passage.reached = reached
                passage.reachedAt = now
            }
            if connection.output.isEmpty, connection.outer.bytesInKernel == 0 { return }
            if now - passage.reachedAt >= Int64(self.options.stallSeconds * 1000) {
                self.tell("a visitor does not read", ["address": connection.address.text])
                return self.close(connection, .stalled)
            }
            self.armProgress(connection, passage)
        }
    }

    /// Who began a message has to end it.
    func watchHalf(_ connection: GateConnection, _ passage: Passage) {
        guard passage.half == nil, connection.isMidMessage else { return }
        armHalf(connection, passage, Int64(options.halfMessageSeconds * 1000))
    }

    private func armHalf(_ connection: GateConnection, _ passage: Passage, _ milliseconds: Int64) {
        passage.half = EventLoop.shared.schedule(inMilliseconds: milliseconds) {
            [weak self, weak connection, weak passage] in
            guard let self, let connection, let passage, connection.passage === passage else { return }
            passage.half = nil
            guard connection.isMidMessage else { return }
            let most = Int64(self.options.halfMessageSeconds * 1000)
            let silent = Boottime.milliseconds() - passage.heard
            // Where we are the ones who do not read, it is not the client's silence.
            let isOurs = passage.isResting || passage.link.wantsWritable
            guard silent >= most, !isOurs else {
                return self.armHalf(connection, passage, isOurs ? most : max(1, most - silent))
            }
            self.finish(connection, .halfMessage, code: 1002, "half a message")
        }
    }

    /// A session ends when nothing came for long, and in any case after its longest time.
    private func watchLife(_ connection: GateConnection, _ passage: Passage) {
        let idle = passage.heard + Int64(options.idleSeconds * 1000)
        let longest = passage.since + Int64(options.longestSeconds * 1000)
        passage.life = EventLoop.shared.schedule(atBoottime: min(idle, longest)) {
            [weak self, weak connection, weak passage] in
            guard let self, let connection, let passage, connection.passage === passage else { return }
            let now = Boottime.milliseconds()
            if now >= longest { return self.finish(connection, .maximum, code: 1001, "the longest time is over") }
            if now - passage.heard >= Int64(self.options.idleSeconds * 1000) {
                return self.finish(connection, .idle, code: 1001, "nothing came for long")
            }
            self.watchLife(connection, passage)
        }
    }
}
