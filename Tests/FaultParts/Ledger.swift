import Synchronization

/// What the writer knows: which of its signals were answered as durable. Any thread may ask.
///
/// Each signal has a number of its own, from 1 on, in the order they were written by one writer; the number stands in the
/// signal's code and so in every message that the signal makes.
public final class Ledger: Sendable {
    private struct Pages {
        var answered: [Int] = []
        var doubtful: [Int] = []
        var refused = 0
        var last = 0
    }
    private let pages = Mutex(Pages())

    public init() {}

    /// The number of the next signal.
    public func begin() -> Int {
        pages.withLock { pages in
            pages.last += 1
            return pages.last
        }
    }

    /// It is durable: the agent said so.
    public func answer(_ number: Int) { pages.withLock { $0.answered.append(number) } }
    /// The connection broke, or time ran out, before an answer: it may or may not have an effect, never two.
    public func doubt(_ number: Int) { pages.withLock { $0.doubtful.append(number) } }
    /// The agent said no.
    public func refuse() { pages.withLock { $0.refused += 1 } }

    /// Numbers of signals that must have their effect, ascending.
    public var answered: [Int] { pages.withLock { $0.answered } }
    public var doubtful: [Int] { pages.withLock { $0.doubtful } }
    public var refused: Int { pages.withLock { $0.refused } }
    public var count: Int { pages.withLock { $0.answered.count } }

    /// The code that stands for signal `number`: letters around it, so that no number is found in another.
    public static func code(_ number: Int) -> String {
        let digits = String(number)
        return "N" + String(repeating: "0", count: max(0, 7 - digits.count)) + digits + "Z"
    }

    /// The number in the first code in `bytes` that follows `"code":"`, if there is one.
    public static func number(in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { all in
            var place = 0
            while place + mark.count <= all.count {
                // The quote first: a log is searched ten thousand times.
                if all[place] == mark[0], all[place..<place + mark.count].elementsEqual(mark) {
                    let digits = all[(place + mark.count)...].prefix { $0 >= 48 && $0 <= 57 }
                    return Int(String(decoding: digits, as: UTF8.self))
                }
                place += 1
            }
            return nil
        }
    }

    private static let mark = Array("\"code\":\"N".utf8)

    /// All numbers whose code stands somewhere in `bytes`: in a file that is too damaged to be opened.
    public static func numbers(anywhereIn bytes: [UInt8]) -> Set<Int> {
        var found: Set<Int> = []
        var place = 0
        while place + 9 <= bytes.count {
            guard bytes[place] == UInt8(ascii: "N"), bytes[place + 8] == UInt8(ascii: "Z") else {
                place += 1
                continue
            }
            let digits = bytes[place + 1..<place + 8]
            if digits.allSatisfy({ $0 >= 48 && $0 <= 57 }), let number = Int(String(decoding: digits, as: UTF8.self)) {
                found.insert(number)
            }
            place += 1
        }
        return found
    }
}
