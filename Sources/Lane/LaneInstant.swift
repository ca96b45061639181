/// A moment on the lane's own clock, in milliseconds.
///
/// Lane time is CLOCK_BOOTTIME at receipt plus an offset that is set once a boot, so that it reads as Unix milliseconds.
/// It never steps with NTP, never goes back, never repeats, and counts suspend. Only differences and order mean anything
/// to the engine; for people the wall clock is carried beside it.
public struct LaneInstant: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    @inlinable public static func < (a: LaneInstant, b: LaneInstant) -> Bool { a.milliseconds < b.milliseconds }

    /// This instant moved by `milliseconds`; saturates instead of trapping, as recordings hold any number.
    @inlinable public func advanced(byMilliseconds milliseconds: Int64) -> LaneInstant {
        let (sum, overflow) = self.milliseconds.addingReportingOverflow(milliseconds)
        return LaneInstant(milliseconds: overflow ? (milliseconds < 0 ? .min : .max) : sum)
    }

    /// Milliseconds from `earlier` to this instant; saturates.
    @inlinable public func milliseconds(since earlier: LaneInstant) -> Int64 {
        let (difference, overflow) = milliseconds.subtractingReportingOverflow(earlier.milliseconds)
        return overflow ? (milliseconds < earlier.milliseconds ? .min : .max) : difference
    }
}

/// A moment on the wall clock: Unix time in milliseconds, UTC. For people and for `at` guards only; it may step.
public struct WallInstant: Hashable, Comparable, Sendable {
    public var milliseconds: Int64

    @inlinable public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    @inlinable public static func < (a: WallInstant, b: WallInstant) -> Bool { a.milliseconds < b.milliseconds }

    /// RFC 3339 in UTC with milliseconds: `2026-11-21T08:14:03.120Z`. Years outside 0000–9999 are clamped.
    public var rfc3339: String {
        String(unsafeUninitializedCapacity: Self.rfc3339Count) { out in
            writeRFC3339(out)
            return Self.rfc3339Count
        }
    }

    static let rfc3339Count = 24

    /// Writes what `rfc3339` says to the first `rfc3339Count` bytes of `out`.
    func writeRFC3339(_ out: UnsafeMutableBufferPointer<UInt8>) {
        let clamped = Int(min(max(milliseconds, -62_167_219_200_000), 253_402_300_799_999))
        let (quotient, remainder) = clamped.quotientAndRemainder(dividingBy: 86_400_000)
        let day = remainder < 0 ? quotient - 1 : quotient
        let inDay = clamped - day * 86_400_000
        let date = CivilDate(dayNumber: day)
        var place = 0
        func write(_ number: Int, _ width: Int, _ separator: Unicode.Scalar) {
            var rest = number
            for digit in stride(from: width - 1, through: 0, by: -1) {
                out[place + digit] = UInt8(48 + rest % 10)
                rest /= 10
            }
            out[place + width] = UInt8(ascii: separator)
            place += width + 1
        }
        write(date.year, 4, "-")
        write(date.month, 2, "-")
        write(date.day, 2, "T")
        write(inDay / 3_600_000, 2, ":")
        write(inDay / 60_000 % 60, 2, ":")
        write(inDay / 1000 % 60, 2, ".")
        write(inDay % 1000, 3, "Z")
    }

    /// Reads RFC 3339: `2026-11-21T08:14:03Z`, with or without a fraction, with `Z` or an offset such as `+01:00`.
    /// Nil for anything else, impossible dates included; a leap second reads as the second after it.
    public init?(rfc3339 text: String) {
        let bytes = Array(text.utf8)
        func number(_ from: Int, _ count: Int) -> Int? {
            guard from + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[from..<from + count] {
                guard byte >= 48, byte <= 57 else { return nil }
                value = value * 10 + Int(byte - 48)
            }
            return value
        }
        func at(_ index: Int, _ character: Character) -> Bool {
            index < bytes.count && bytes[index] == character.asciiValue
        }
        guard let year = number(0, 4), at(4, "-"), let month = number(5, 2), at(7, "-"), let day = number(8, 2),
            at(10, "T") || at(10, "t") || at(10, " "), let hour = number(11, 2), at(13, ":"),
            let minute = number(14, 2), at(16, ":"), let second = number(17, 2)
        else { return nil }
        guard (1...12).contains(month), (1...CivilDate.daysIn(month: month, of: year)).contains(day),
            hour < 24, minute < 60, second <= 60
        else { return nil }
        var index = 19
        var fraction = 0
        if at(index, ".") {
            index += 1
            var digits = 0
            while index < bytes.count, bytes[index] >= 48, bytes[index] <= 57 {
                if digits < 3 { fraction = fraction * 10 + Int(bytes[index] - 48) }
                digits += 1
                index += 1
            }
            guard digits > 0 else { return nil }
            for _ in digits..<max(3, digits) { fraction *= 10 }
        }
        var offset = 0
        if at(index, "Z") || at(index, "z") {
            index += 1
        } else if at(index, "+") || at(index, "-") {
            guard let hours = number(index + 1, 2), at(index + 3, ":"), let minutes = number(index + 4, 2),
                hours < 24, minutes < 60
            else { return nil }
            offset = (hours * 60 + minutes) * (at(index, "-") ? -1 : 1)
            index += 6
        } else {
            return nil
        }
        guard index == bytes.count else { return nil }
        let days = CivilDate(year: year, month: month, day: day).dayNumber
        let minutes = (days * 24 + hour) * 60 + minute - offset
        self.init(milliseconds: Int64((minutes * 60 + second) * 1000 + fraction))
    }
}

/// A day of the proleptic Gregorian calendar, and its number counted from 1970-01-01.
public struct CivilDate: Hashable, Sendable {
    public var year: Int
    public var month: Int
    public var day: Int

    public init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// The day `dayNumber` days after 1970-01-01. Counts in eras of 400 years that begin on 1 March, so that the leap
    /// day is the last of its year.
    public init(dayNumber: Int) {
        let shifted = dayNumber + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    public var dayNumber: Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    public static func daysIn(month: Int, of year: Int) -> Int {
        switch month {
        case 2: return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: return 30
        default: return 31
        }
    }
}

/// Where the store is on the clock: how far its local time is from UTC at a moment. `at` guards need it.
public protocol LocalTime: Sendable {
    /// Seconds to add to UTC to get the store's local time at `wall`.
    func offsetSeconds(at wall: WallInstant) -> Int
}

/// UTC as the store's local time: what tests and replays use.
public struct UTC: LocalTime {
    public init() {}
    public func offsetSeconds(at wall: WallInstant) -> Int { 0 }
}
