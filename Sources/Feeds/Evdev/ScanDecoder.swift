/// Turns the keys of a wedge scanner into codes. A pure machine: keys with the kernel's stamps in, outcomes out.
///
/// A burst begins with the first key that types something and ends with a terminator or with silence. Keys come at most
/// `gap` apart, by the kernel's stamps, never by the time of reading: a busy lane reads late. A burst in which keys were
/// lost is never completed by guessing: it is dropped to its end.
///
/// What is typed lies in memory that is wiped at the end of each burst; it becomes a String only once `CardFilter` has
/// found no card in it. Behind a card all keys are dropped unseen until `swipeQuiet` of silence: the rest of the swipe.
///
/// Total: any sequence of codes, values and stamps is taken. Owner: one device, on the lane's thread.
final class ScanDecoder: InputDecoder {
    enum Outcome: Hashable {
        case code(ScannedCode)
        /// Card data, dropped here.
        case card
        /// A further burst of the same swipe, dropped.
        case cardTail
        case rejected(ScanRejection)
    }

    /// Silence after a swipe, in microseconds.
    static let swipeQuiet: Int64 = 500_000
    /// AIM ids are looked for behind at most so many characters of a label id.
    static let longestLabel = 3

    /// Bursts begun. Each ends in one outcome: `begun` == outcomes + (isOpen ? 1 : 0).
    private(set) var begun = 0
    /// A burst has begun and not ended.
    private(set) var isOpen = false
    /// Stamp of the last key, in microseconds.
    private(set) var lastKey: Int64 = .min

    private let options: ScanOptions
    private let layout: any KeyLayout
    private let gap: Int64
    let silence: Int64
    private let prefix: [UInt32]
    private let suffix: [UInt32]
    private let typed: SecretText
    private var fault: ScanRejection?
    private var isTail = false
    private var alt = AltNumpad()
    /// Modifiers that are down, a bit each in the order of `KeyCode.modifiers`.
    private var held: UInt8 = 0
    private var isAfterDead = false
    /// Keys were lost: until a terminator or a long pause nothing is believed.
    private var isInDoubt = false
    private var swipeEnd: Int64 = .min

    init(options: ScanOptions, layout: any KeyLayout) {
        self.options = options
        self.layout = layout
        gap = Int64(min(max(1, options.gapMilliseconds), 10_000)) * 1000
        silence = max(gap, Int64(min(max(1, options.silenceMilliseconds), 60_000)) * 1000)
        prefix = options.prefix.unicodeScalars.map(\.value)
        suffix = options.suffix.unicodeScalars.map(\.value)
        typed = SecretText(capacity: min(max(1, options.maximumLength), 4096))
    }

    /// One EV_KEY event. `value`: 0 up, 1 down, 2 auto-repeat, which types nothing: scanners do not repeat, so a key
    /// that does had its release lost. `at`: the event's stamp in microseconds.
    func key(_ code: UInt16, value: Int32, at: Int64) -> Outcome? {
        switch value {
        case 0:
            release(code)
            return nil
        case 1:
            let before = settle(at: at)
            let after = press(code, at: at)
            // A press ends at most one burst: after silence has ended one, the press begins the next.
            return before ?? after
        default: return nil
        }
    }

    /// It is `at` now and no earlier key is unread: ends a burst that was followed by silence.
    func settle(at: Int64) -> Outcome? {
        guard elapsed(at) >= silence else { return nil }
        isInDoubt = false
        return isOpen ? end(bySilence: true) : nil
    }

    /// Keys were lost before `at`. `held`: the modifiers that are down now, as the kernel says. Locks count as off.
    func drop(at: Int64, held: [UInt16]) {
        layout.reset()
        alt = AltNumpad()
        self.held = 0
        isAfterDead = false
        for code in held where KeyCode.modifiers.contains(code) { _ = hold(code) }
        isInDoubt = true
        if isOpen { spoil(.afterDrop) }
        lastKey = max(lastKey, at)
    }

    /// The device is gone: a burst in progress is dropped.
    func close() -> Outcome? {
        guard isOpen else { return nil }
        spoil(.unplugged)
        return end(bySilence: true)
    }

    // MARK: InputDecoder

    func event(type: UInt16, code: UInt16, value: Int32, at: Int64) -> InputOutcome? {
        guard type == EventType.key else { return nil }
        return key(code, value: value, at: at).map { .scan($0) }
    }

    func quiet(at: Int64) -> InputOutcome? { settle(at: at).map { .scan($0) } }

    func ended() -> InputOutcome? { close().map { .scan($0) } }

    var due: Int64? { isOpen ? lastKey.addingReportingOverflow(silence).partialValue : nil }

    // MARK: Keys

    private func press(_ code: UInt16, at: Int64) -> Outcome? {
        if isOpen, elapsed(at) > gap { fault = fault ?? .slow }
        lastKey = max(lastKey, at)
        if hold(code) { return nil }
        if isTerminator(code) { return terminate(code) }
        if alt.isHeld {
            if let digit = KeyCode.keypadDigit(code) { alt.add(digit) } else { spoil(.unknownKey) }
            return nil
        }
        if let digit = KeyCode.keypadDigit(code) {
            type(0x30 + UInt32(digit), position: digit)
        } else if let sign = KeyCode.keypadSign(code) {
            type(sign, position: nil)
        } else if code == KeyCode.down {
            type(GS1ElementString.groupSeparator, position: nil)
        } else {
            typeByLayout(code)
        }
        return nil
    }

    /// Takes keys that only change what others type. NumLock is none of them: the keypad types digits here anyway, and
    /// scanners tap it around Alt codes.
    private func hold(_ code: UInt16) -> Bool {
        guard KeyCode.isModifier(code) else { return false }
        guard let place = KeyCode.modifiers.firstIndex(of: code) else {
            if code == KeyCode.capsLock { _ = layout.press(code) }
            return true
        }
        // Down twice would need to come up twice.
        guard held & 1 << place == 0 else { return true }
        held |= 1 << place
        if code == KeyCode.leftAlt { alt.press() } else { _ = layout.press(code) }
        return true
    }

    private func release(_ code: UInt16) {
        guard let place = KeyCode.modifiers.firstIndex(of: code) else {
            if code != KeyCode.numLock, code != KeyCode.scrollLock { layout.release(code) }
            return
        }
        guard held & 1 << place != 0 else { return }
        held &= ~(1 << place)
        guard code == KeyCode.leftAlt else { return layout.release(code) }
        guard let scalar = alt.release() else { return }
        if scalar == 0 { spoil(.unknownKey) } else { type(scalar, position: Self.digit(scalar)) }
    }

    private var isControlHeld: Bool {
        // Left and right Control, by their places in `KeyCode.modifiers`.
        held & 0b1_0001 != 0
    }

    private func typeByLayout(_ code: UInt16) {
        var text = layout.press(code)
        // Ctrl and the key of the US bracket: how wedge scanners type GS, whatever stands on that key.
        if isControlHeld, code == KeyCode.rightBrace { text = KeyText(scalar: GS1ElementString.groupSeparator) }
        let wasAfterDead = isAfterDead
        isAfterDead = text.isDead
        if wasAfterDead, text.scalar == 0x20 { return }
        if text.scalar == 0 { return spoil(.unknownKey) }
        type(text.scalar, position: KeyCode.digit(code))
    }

    private func type(_ scalar: UInt32, position: UInt8?) {
        open()
        guard fault == nil || fault == .slow, !isTail else { return }
        if !typed.append(scalar, position: position) { spoil(.tooLong) }
    }

    private func spoil(_ reason: ScanRejection) {
        open()
        fault = fault ?? reason
        // Doubt weighs more than a pause: what is kept of a slow burst may still show a card, of these nothing can be said.
        if fault == .slow { fault = reason }
    }

    private func open() {
        guard !isOpen else { return }
        isOpen = true
        begun += 1
        fault = isInDoubt ? .afterDrop : nil
        isTail = swipeEnd != .min && lastKey &- swipeEnd < Self.swipeQuiet
    }

    // MARK: Ends

    private func isTerminator(_ code: UInt16) -> Bool {
        let found: ScanOptions.Terminator
        switch code {
        case KeyCode.enter: found = .enter
        case KeyCode.keypadEnter: found = .keypadEnter
        case KeyCode.tab: found = .tab
        case KeyCode.down: found = .down
        case KeyCode.m where isControlHeld: found = .enter
        case KeyCode.j where isControlHeld: found = .lf
        case KeyCode.i where isControlHeld: found = .tab
        default: return false
        }
        // Between bursts each of them is the rest of the last end (the LF of CR+LF) or stands before a code.
        return !isOpen || options.terminators.contains(found)
    }

    private func terminate(_ code: UInt16) -> Outcome? {
        isInDoubt = false
        isAfterDead = false
        // The layout must hear of the press: its release will come.
        _ = layout.press(code)
        return isOpen ? end(bySilence: false) : nil
    }

    private func end(bySilence: Bool) -> Outcome {
        let reason = fault
        let wasTail = isTail
        isOpen = false
        fault = nil
        isTail = false
        isAfterDead = false
        if bySilence { alt = AltNumpad() }
        defer { typed.wipe() }
        if wasTail {
            swipeEnd = lastKey
            return .cardTail
        }
        let (data, aim, missing) = parts()
        if CardFilter.holdsCard(typed, data: data, aim: aim) {
            swipeEnd = lastKey
            return .card
        }
        if let reason { return .rejected(reason) }
        if let missing { return .rejected(missing) }
        if bySilence, !options.terminators.contains(.silence) { return .rejected(.slow) }
        if data.count < options.minimumLength { return .rejected(.tooShort) }
        return .code(ScannedCode(typed.text, data: data, aim: aim))
    }

    /// Where the code lies in what was typed: prefix, label id, AIM id, code, suffix.
    private func parts() -> (data: Range<Int>, aim: AIMIdentifier?, missing: ScanRejection?) {
        let text = typed.text
        var start = 0
        var end = text.count
        var missing: ScanRejection?
        if text.starts(with: prefix) { start = prefix.count } else { missing = .noPrefix }
        if suffix.count <= end - start, text[(end - suffix.count)..<end].elementsEqual(suffix) {
            end -= suffix.count
        } else {
            missing = missing ?? .noSuffix
        }
        for label in 0...Self.longestLabel {
            let place = start + label
            guard place + 2 < end else { break }
            if let aim = AIMIdentifier(text[place], text[place + 1], text[place + 2]) {
                return (place + 3..<end, aim, missing)
            }
            guard let byte = UInt8(exactly: text[place]), isASCIIAlphanumeric(byte) else { break }
        }
        return (start..<end, nil, missing)
    }

    private static func digit(_ scalar: UInt32) -> UInt8? {
        (0x30...0x39).contains(scalar) ? UInt8(scalar - 0x30) : nil
    }

    /// From the last key to `at`; stamps that go back count as none, and before the first key it is for ever.
    private func elapsed(_ at: Int64) -> Int64 {
        guard lastKey != .min else { return .max }
        let (difference, overflow) = at.subtractingReportingOverflow(lastKey)
        return overflow ? .max : max(0, difference)
    }
}
