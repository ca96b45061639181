import Lane

/// The lines that the socket answers.
enum SocketAnswer {
    /// `{"ok":true,"seq":17}`, with the attributes that were left out, where there are any.
    static func accepted(_ number: Int64, ignored: [String]) -> [UInt8] {
        line { json in
            json.member("ok", true)
            json.member("seq", number)
            write(ignored, &json)
        }
    }

    /// Writes `{"ok":true,"seq":17}` and its line feed: what nearly every answer is.
    static func write(accepted number: Int64, to output: inout [UInt8]) {
        let start: StaticString = "{\"ok\":true,\"seq\":"
        output.append(contentsOf: UnsafeBufferPointer(start: start.utf8Start, count: start.utf8CodeUnitCount))
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 22) { end in
            end[20] = UInt8(ascii: "}")
            end[21] = 0x0A
            var place = 20
            var rest = number.magnitude
            repeat {
                place -= 1
                end[place] = UInt8(truncatingIfNeeded: 48 + rest % 10)
                rest /= 10
            } while rest > 0
            output.append(contentsOf: UnsafeBufferPointer(rebasing: end[place...]))
        }
    }

    /// `{"ok":false,"error":"…"}`; `column` counts the line's bytes from 1. What looks like card data is masked: the fault
    /// of a line may name a part of it.
    static func refused(_ error: String, column: Int? = nil, ignored: [String] = []) -> [UInt8] {
        line { json in
            json.member("ok", false)
            json.member("error", CardText.masked(error) ?? error)
            if let column { json.member("column", column) }
            write(ignored, &json)
        }
    }

    private static func write(_ ignored: [String], _ json: inout JSONWriter) {
        guard !ignored.isEmpty else { return }
        json.name("ignored")
        json.array { json in
            for name in ignored {
                let short = String(name.prefix(64))
                json.value(CardText.masked(short) ?? short)
            }
        }
    }

    private static func line(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter()
        json.object(body)
        return json.bytes + [0x0A]
    }
}
