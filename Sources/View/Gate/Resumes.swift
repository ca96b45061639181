import Net

/// Codes by which a page comes back into the session that it lost: a token opens one session, and a tablet's network comes and goes.
///
/// Each session of a page has one, told to it alone, over TLS. It works once, while the session is there or for `seconds` after it was lost,
/// and never after one that was ended on purpose: by its attendant, its operator, its intervention or its time. The session that it
/// opens is a new one, and goes on with the time of the old one. A value; at most one code a session. Times are milliseconds.
struct Resumes {
    static let seconds: Int64 = 60
    /// Of sessions that were lost.
    static let mostLost = 64

    struct Resumed: Hashable {
        var grant: Grant
        /// The session that it takes the place of.
        var visitor: UInt64
        var since: Int64
    }

    private struct Given {
        var code: [UInt8]
        var resumed: Resumed
        /// Nil while the session is there.
        var expires: Int64?
    }

    private var given: [Given] = []

    var count: Int { given.count }

    /// A code for a session that begins: 192 bits.
    mutating func give(_ grant: Grant, visitor: UInt64, since: Int64) -> String {
        let code = "again-" + Base64.encodeForAddress(Secrets.random(24))
        given.append(Given(code: Array(code.utf8), resumed: Resumed(grant: grant, visitor: visitor, since: since)))
        return code
    }

    /// The session of a code, which is spent by it. All are looked at, whichever it is.
    mutating func take(_ code: [UInt8], now: Int64) -> Resumed? {
        forget(now: now)
        var found: Int?
        for (place, one) in given.enumerated() where Secrets.areEqual(one.code, code) { found = place }
        return found.map { given.remove(at: $0).resumed }
    }

    /// A session is over.
    mutating func left(_ visitor: UInt64, isLost: Bool, now: Int64) {
        forget(now: now)
        guard let place = given.firstIndex(where: { $0.resumed.visitor == visitor }) else { return }
        guard isLost else {
            given.remove(at: place)
            return
        }
        given[place].expires = now + Self.seconds * 1000
        let lost = given.indices.filter { given[$0].expires != nil }
        if lost.count > Self.mostLost, let first = lost.first { given.remove(at: first) }
    }

    /// Of lost sessions, too.
    mutating func revoke(intervention: String) {
        given.removeAll { $0.resumed.grant.intervention == intervention }
    }

    mutating func revokeAll() { given = [] }

    private mutating func forget(now: Int64) { given.removeAll { one in one.expires.map { $0 <= now } ?? false } }
}

extension GateEnd {
    /// Whether nobody meant it: the network, or an encoder that failed. A connection that is closed without a word is one, too.
    var isLoss: Bool {
        switch self {
        case .halfMessage, .stalled, .overrun, .attendantEnded: true
        default: false
        }
    }
}
