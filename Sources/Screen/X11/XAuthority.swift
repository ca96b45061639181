import Glibc

/// What lets a client in at an X server: the entries of an authority file. Holds secrets, so nothing here describes itself.
///
/// Source: Xau(3), "FILE FORMAT": two bytes of family, then address, display number, name and data, each behind two bytes of
/// length, all high byte first.
struct XAuthority {
    struct Entry {
        var family: UInt16
        var address: [UInt8]
        var number: [UInt8]
        var name: [UInt8]
        var data: [UInt8]
    }

    /// Where the server is, as entries name it.
    enum Peer: Hashable {
        /// On this machine, by its host name.
        case local(host: [UInt8])
        /// Four or sixteen bytes.
        case address([UInt8])
    }

    static let cookie = Array("MIT-MAGIC-COOKIE-1".utf8)
    static let mostBytes = 1 << 20
    private static let internet: UInt16 = 0
    private static let internet6: UInt16 = 6
    private static let local: UInt16 = 256
    private static let wild: UInt16 = 0xffff

    private(set) var entries: [Entry] = []

    /// Reads `bytes` as far as they make sense: the rest of a file that is cut short is left.
    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while let family = Self.number(&rest), let address = Self.text(&rest), let number = Self.text(&rest),
            let name = Self.text(&rest), let data = Self.text(&rest)
        {
            entries.append(Entry(family: family, address: address, number: number, name: name, data: data))
        }
    }

    /// The file at `path`, at most a megabyte of it. Nil when it cannot be read; `errno` tells why.
    init?(path: String) {
        let raw = open(path, O_RDONLY | O_CLOEXEC)
        guard raw >= 0 else { return nil }
        defer { close(raw) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < Self.mostBytes {
            let count = read(raw, &piece, piece.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            bytes.append(contentsOf: piece[..<count])
        }
        self.init(bytes)
    }

    /// The first cookie that fits display `number` of `peer`.
    func entry(for peer: Peer, number: Int) -> Entry? {
        let digits = Array(String(number).utf8)
        return entries.first { entry in
            guard entry.name == Self.cookie, entry.number.isEmpty || entry.number == digits else { return false }
            if entry.family == Self.wild { return true }
            switch peer {
            case .local(let host): return entry.family == Self.local && entry.address == host
            case .address(let bytes):
                return entry.family == (bytes.count == 4 ? Self.internet : Self.internet6) && entry.address == bytes
            }
        }
    }

    private static func number(_ rest: inout ArraySlice<UInt8>) -> UInt16? {
        guard rest.count >= 2 else { return nil }
        let found = rest.prefix(2).reduce(UInt16(0)) { $0 << 8 | UInt16($1) }
        rest = rest.dropFirst(2)
        return found
    }

    private static func text(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
        guard let count = number(&rest), rest.count >= Int(count) else { return nil }
        defer { rest = rest.dropFirst(Int(count)) }
        return Array(rest.prefix(Int(count)))
    }
}
