import Lane
import Net

@testable import Feeds

/// Lines of the POS application's socket, framed in odd pieces, judged as the feed judges them.
enum SocketLines {
    private static let limit = 512

    @Sendable static func run(_ input: [UInt8]) {
        var lot = Steering(input)
        let whole = framed([input[...]])
        let pieces = framed(lot.pieces(input))
        require(whole == pieces, "lines framed in pieces are the same: \(whole) \(pieces)")
        for case .line(let line) in whole {
            for (simulate, access) in [
                (false, SocketAccess.pos), (true, .pos), (false, .staff), (true, [.pos, .staff]),
            ] {
                judge(line, SocketIntake(simulate: simulate), access)
            }
        }
    }

    private enum Framed: Equatable {
        case line([UInt8])
        case oversized(Int)
        case half(Bool)
    }

    private static func framed(_ pieces: [ArraySlice<UInt8>]) -> [Framed] {
        var framer = LineFramer(limit: limit)
        var found: [Framed] = []
        for piece in pieces {
            piece.withUnsafeBytes { framer.append($0) }
            while let next = framer.next() {
                switch next {
                case .line(let range): found.append(.line(framer.withBytes(of: range) { Array($0) }))
                case .oversized: found.append(.oversized(framer.number))
                }
            }
            require(framer.count <= limit, "a framer holds no more than its limit: \(framer.count)")
        }
        found.append(.half(framer.finish()))
        return found
    }

    private static func judge(_ line: [UInt8], _ intake: SocketIntake, _ access: SocketAccess) {
        switch line.withUnsafeBytes({ intake.take($0, access) }) {
        case .success(let accepted):
            for attribute in accepted.signal.attributes {
                require(!SocketIntake.isCardData(attribute), "an accepted signal holds no card data: \(attribute)")
                require(
                    SignalCatalogue.shipped[accepted.signal.type].declared(attribute.name) != nil,
                    "an accepted attribute is one of its type's")
            }
            require(
                Set(accepted.signal.attributes.map(\.name)).count == accepted.signal.attributes.count,
                "an attribute stands once")
            if let traceparent = accepted.signal.traceparent {
                require(TraceContext.isValid(traceparent), "a trace context is one")
            }
            isJSONLine(SocketAnswer.accepted(17, ignored: accepted.ignored))
            isKept(accepted.signal)
        case .failure(let refused):
            require(WrittenFiles.isShown(refused.message), "a refusal is one plain line: \(refused.message)")
            if let column = refused.column {
                require(
                    (1...line.count + 1).contains(column), "column \(column) lies in the line of \(line.count) bytes")
            }
            isJSONLine(SocketAnswer.refused(refused.message, column: refused.column))
        }
    }

    private static func isJSONLine(_ bytes: [UInt8]) {
        require(bytes.last == 0x0A && !bytes.dropLast().contains(0x0A), "an answer is one line")
        require((try? JSONValue(parsing: Array(bytes.dropLast()))) != nil, "an answer is JSON")
        let text = String(decoding: bytes, as: UTF8.self)
        require(!CardText.isSuspect(text), "an answer holds no card data: \(text)")
    }

    /// Written to a recording and read again, a signal is the same.
    private static func isKept(_ signal: Signal) {
        let stamped = StampedSignal(
            number: 3, at: LaneInstant(milliseconds: 5), wall: WallInstant(milliseconds: 7), signal: signal)
        var json = JSONWriter()
        SignalLine.write(stamped, lane: "L07", journal: true, into: &json)
        let read: SignalLine
        do throws(SignalLineFault) {
            read = try SignalLine(parsing: json.text)
        } catch {
            return require(false, "a signal written is readable: \(error) \(json.text)")
        }
        let isSame =
            read.type == signal.type && read.attributes == signal.attributes && read.feed == signal.feed
            && read.traceparent == signal.traceparent && read.number == 3 && read.lane == "L07" && read.ignored.isEmpty
        require(isSame, "a signal written and read is the same: \(json.text)")
    }
}
