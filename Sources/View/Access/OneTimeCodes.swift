import Net

/// Short codes for viewers that know nothing but VNC's password of 8 characters: given out by the gate itself, for one joining.
///
/// 8 of 32 letters are 40 bits. A code lives 60 s in memory, and the challenge that a viewer answers is checked with each of the few that
/// are out. Used by one thread.
struct OneTimeCodes {
    /// Without 0, 1, I and O, which people mistake.
    static let letters = Array("23456789ABCDEFGHJKLMNPQRSTUVWXYZ".utf8)
    /// The most that are out at a time: a new one pushes out the oldest.
    static let most = 16

    private struct Given {
        var code: [UInt8]
        var grant: Grant
        /// Unix seconds.
        var expires: Int64
    }

    private var given: [Given] = []

    mutating func give(_ grant: Grant, now: Int64, seconds: Int64) -> String {
        forget(now: now)
        if given.count >= Self.most { given.removeFirst() }
        let code = Secrets.random(8).map { Self.letters[Int($0 & 31)] }
        given.append(Given(code: code, grant: grant, expires: now + seconds))
        return String(decoding: code, as: UTF8.self)
    }

    /// The grant of the code that `matches`, which is then spent. All that are out are looked at, whichever it is.
    mutating func take(now: Int64, where matches: ([UInt8]) -> Bool) -> Grant? {
        forget(now: now)
        var found: Int?
        for (place, one) in given.enumerated() where matches(one.code) { found = place }
        return found.map { given.remove(at: $0).grant }
    }

    private mutating func forget(now: Int64) { given.removeAll { $0.expires <= now } }
}
