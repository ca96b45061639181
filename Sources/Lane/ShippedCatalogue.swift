// Generated from rules/signals.yaml. Do not edit: change the file and run `make generate`.
// swift-format-ignore-file

extension SignalCatalogue {
    static let shippedAttributeNames: [String] = [
        "code",
        "sym",
        "check",
        "reason",
        "device",
        "sku",
        "txn",
        "price",
        "age",
        "category",
        "quantity",
        "grams",
        "expected",
        "name",
        "pay",
        "amount",
        "kind",
        "unit",
        "level",
        "port",
        "class",
        "minutes",
        "state",
        "door",
        "x",
        "y",
        "badge",
        "intervention",
        "by",
        "verdict",
        "text",
        "rule",
        "line",
        "app",
        "cpu",
        "screen_hash",
        "screen",
        "if",
        "target",
        "version",
        "messages",
        "oldest_s",
        "event",
    ]

    static let shippedEntries: [Entry] = [
        Entry(
            "scan.read", [.evdev, .pos],
            [Declared(0, .text), Declared(1, .text), Declared(2, .text)],
            "A code was read. sym: AIM symbology id or name; check: ok, bad or none", rate: 3),
        Entry(
            "scan.rejected", [.evdev],
            [Declared(3, .text)],
            "A burst that is no code: after a drop, too long, unknown layout"),
        Entry(
            "card.swiped", [.evdev],
            [Declared(4, .text)],
            "Card data was seen on a wedge device and dropped where it was read"),
        Entry(
            "item.accepted", [.pos],
            [Declared(5, .text), Declared(6, .text), Declared(7, .int, "minor"), Declared(8, .int, "years"), Declared(9, .text)],
            "The POS put an item into the basket", rate: 3),
        Entry(
            "item.refused", [.pos],
            [Declared(0, .text), Declared(6, .text), Declared(3, .text)],
            "The POS did not take an item. reason: not_on_file, not_sellable, time_restricted, recalled"),
        Entry(
            "item.removed", [.pos],
            [Declared(5, .text), Declared(6, .text)],
            "An item was voided from the basket"),
        Entry(
            "item.quantity", [.pos],
            [Declared(5, .text), Declared(6, .text), Declared(10, .int)],
            "A quantity was entered for an item"),
        Entry(
            "coupon.refused", [.pos],
            [Declared(6, .text), Declared(3, .text)],
            "A coupon was not taken"),
        Entry(
            "scale.stable", [.pos],
            [Declared(11, .int, "g")],
            "The bagging scale rests. UnifiedPOS SCAL_SUE_STABLE_WEIGHT", rate: 5),
        Entry(
            "scale.mismatch", [.pos],
            [Declared(11, .int, "g"), Declared(12, .int, "g")],
            "The bagging scale shows another weight than expected"),
        Entry(
            "scale.fault", [.pos],
            [Declared(13, .text)],
            "The scale cannot weigh. name: UnifiedPOS SCAL_SUE_* other than stable"),
        Entry(
            "bag.unexpected", [.pos],
            [Declared(11, .int, "g")],
            "Weight appeared in the bagging area without an item"),
        Entry(
            "bag.removed", [.pos],
            [Declared(11, .int, "g")],
            "Weight left the bagging area"),
        Entry(
            "bag.own", [.pos],
            [Declared(6, .text)],
            "The customer says that a bag of their own stands on the scale"),
        Entry(
            "payment.started", [.pos],
            [Declared(14, .text), Declared(6, .text), Declared(15, .int, "minor"), Declared(16, .text)],
            "A payment was begun. amount in minor units of the currency"),
        Entry(
            "payment.approved", [.pos],
            [Declared(14, .text), Declared(6, .text)],
            "The terminal approved a payment"),
        Entry(
            "payment.declined", [.pos],
            [Declared(14, .text), Declared(6, .text), Declared(3, .text)],
            "The terminal declined a payment"),
        Entry(
            "payment.cancelled", [.pos],
            [Declared(14, .text), Declared(6, .text)],
            "The customer or the POS cancelled a payment"),
        Entry(
            "payment.booked", [.pos],
            [Declared(14, .text), Declared(6, .text)],
            "The sale is recorded; approved without booked is money taken and no sale"),
        Entry(
            "cash.jam", [.pos],
            [Declared(17, .text)],
            "unit: coin, note, dispenser (CHAN/BACC/CACC_STATUS_JAM)"),
        Entry(
            "cash.cleared", [.pos],
            [Declared(17, .text)],
            "A jammed cash unit works again"),
        Entry(
            "coin.jam", [.pos],
            [Declared(17, .text)],
            "The coin unit is jammed"),
        Entry(
            "cash.level", [.pos],
            [Declared(17, .text), Declared(18, .text)],
            "level: empty, low, ok, nearly_full, full"),
        Entry(
            "device.attached", [.hotplug, .pos],
            [Declared(4, .text), Declared(19, .text), Declared(20, .text)],
            "A device is there. device: its role, or the name the POS gives it"),
        Entry(
            "device.detached", [.hotplug, .pos],
            [Declared(4, .text), Declared(19, .text), Declared(20, .text)],
            "A device is gone"),
        Entry(
            "device.silent", [.agent],
            [Declared(4, .text), Declared(21, .int, "min")],
            "No reading for longer than this lane's own habit"),
        Entry(
            "device.grabbed", [.evdev],
            [Declared(4, .text)],
            "Held exclusively by another program: we are blind, the device may be fine"),
        Entry(
            "printer.paper", [.pos, .reach],
            [Declared(18, .text)],
            "level: out, low, ok (PTR_SUE_REC_EMPTY, _NEAREMPTY, _PAPEROK)"),
        Entry(
            "printer.cover", [.pos, .reach],
            [Declared(22, .text)],
            "state: open, closed"),
        Entry(
            "printer.state", [.pos, .reach],
            [Declared(22, .text)],
            "state: online, offline, jam"),
        Entry(
            "door.state", [.pos],
            [Declared(23, .text), Declared(22, .text)],
            "A door or cover of the lane. state: open, closed"),
        Entry(
            "power.state", [.pos, .unit],
            [Declared(22, .text)],
            "UnifiedPOS PWR_SUE_*: ups_low, ups_critical, ok"),
        Entry(
            "touch", [.evdev],
            [Declared(24, .int, "px"), Declared(25, .int, "px")],
            "A finger came down. Coordinates only in simulated lanes; real ones leave them out", rate: 10),
        Entry(
            "keypad", [.evdev],
            [],
            "A key of a keypad, which one is never told", rate: 10),
        Entry(
            "help.requested", [.pos, .evdev],
            [Declared(6, .text)],
            "The customer asked for help"),
        Entry(
            "staff.login", [.pos],
            [Declared(26, .text)],
            "An attendant signed on at the lane. badge: a pseudonym, never a card number"),
        Entry(
            "staff.logout", [.pos],
            [Declared(26, .text)],
            "An attendant signed off. badge: a pseudonym"),
        Entry(
            "staff.cleared", [.pos, .staff],
            [Declared(26, .text)],
            "An attendant cleared what the lane waited for. badge: a pseudonym"),
        Entry(
            "attendant.acknowledged", [.staff],
            [Declared(27, .text), Declared(28, .text)],
            "An attendant is on the way"),
        Entry(
            "attendant.resolved", [.staff],
            [Declared(27, .text), Declared(28, .text), Declared(29, .text)],
            "An attendant closed an intervention. verdict: helped, self-corrected, false alarm, left, maintenance"),
        Entry(
            "customer.present", [.pos],
            [],
            "Somebody stands at the lane"),
        Entry(
            "customer.left", [.pos],
            [],
            "Nobody stands at the lane any more"),
        Entry(
            "pos.state", [.pos],
            [Declared(22, .text), Declared(6, .text)],
            "state: idle, basket_open, payment, receipt, void, closed, staff"),
        Entry(
            "pos.message", [.pos, .log],
            [Declared(0, .text), Declared(30, .text)],
            "A message of the POS application, by its code", rate: 5),
        Entry(
            "log.match", [.log],
            [Declared(31, .text), Declared(32, .text)],
            "rule: the pattern's name; line is masked of digits runs before it leaves the feed", rate: 10),
        Entry(
            "app.up", [.unit, .pos],
            [Declared(33, .text)],
            "A watched program runs"),
        Entry(
            "app.down", [.unit, .pos],
            [Declared(33, .text), Declared(3, .text)],
            "A watched program does not run"),
        Entry(
            "heartbeat", [.pos],
            [Declared(34, .int, "percent"), Declared(35, .text)],
            "The POS application is alive"),
        Entry(
            "screen.changed", [.screen, .pos],
            [Declared(36, .text)],
            "The picture changed", rate: 30),
        Entry(
            "screen.frozen", [.screen],
            [],
            "Touches without any damage"),
        Entry(
            "screen.alive", [.screen],
            [],
            "The picture moves again after it was frozen"),
        Entry(
            "screen.blank", [.screen],
            [],
            "One colour all over for a while, in a state that should show something"),
        Entry(
            "network.up", [.reach],
            [Declared(37, .text)],
            "A network interface has a carrier"),
        Entry(
            "network.down", [.reach],
            [Declared(37, .text)],
            "A network interface has no carrier"),
        Entry(
            "reach.up", [.reach],
            [Declared(38, .text)],
            "A watched TCP endpoint answers again"),
        Entry(
            "reach.down", [.reach],
            [Declared(38, .text), Declared(3, .text)],
            "A watched TCP endpoint (payment terminal, store server) cannot be reached"),
        Entry(
            "agent.started", [.agent],
            [Declared(39, .text)],
            "The agent began to watch"),
        Entry(
            "backlog.high", [.agent],
            [Declared(40, .int), Declared(41, .int, "s")],
            "The outbox holds more than it should"),
        Entry(
            "backlog.ok", [.agent],
            [],
            "The outbox is drained"),
        Entry(
            "other", [.pos],
            [Declared(0, .text), Declared(20, .text), Declared(42, .text), Declared(13, .text)],
            "A fact of the POS that has no type of its own; counted, never dropped"),
    ]
}

extension SignalType {
    public static let scanRead = SignalType(index: 0)
    public static let scanRejected = SignalType(index: 1)
    public static let cardSwiped = SignalType(index: 2)
    public static let itemAccepted = SignalType(index: 3)
    public static let itemRefused = SignalType(index: 4)
    public static let itemRemoved = SignalType(index: 5)
    public static let itemQuantity = SignalType(index: 6)
    public static let couponRefused = SignalType(index: 7)
    public static let scaleStable = SignalType(index: 8)
    public static let scaleMismatch = SignalType(index: 9)
    public static let scaleFault = SignalType(index: 10)
    public static let bagUnexpected = SignalType(index: 11)
    public static let bagRemoved = SignalType(index: 12)
    public static let bagOwn = SignalType(index: 13)
    public static let paymentStarted = SignalType(index: 14)
    public static let paymentApproved = SignalType(index: 15)
    public static let paymentDeclined = SignalType(index: 16)
    public static let paymentCancelled = SignalType(index: 17)
    public static let paymentBooked = SignalType(index: 18)
    public static let cashJam = SignalType(index: 19)
    public static let cashCleared = SignalType(index: 20)
    public static let coinJam = SignalType(index: 21)
    public static let cashLevel = SignalType(index: 22)
    public static let deviceAttached = SignalType(index: 23)
    public static let deviceDetached = SignalType(index: 24)
    public static let deviceSilent = SignalType(index: 25)
    public static let deviceGrabbed = SignalType(index: 26)
    public static let printerPaper = SignalType(index: 27)
    public static let printerCover = SignalType(index: 28)
    public static let printerState = SignalType(index: 29)
    public static let doorState = SignalType(index: 30)
    public static let powerState = SignalType(index: 31)
    public static let touch = SignalType(index: 32)
    public static let keypad = SignalType(index: 33)
    public static let helpRequested = SignalType(index: 34)
    public static let staffLogin = SignalType(index: 35)
    public static let staffLogout = SignalType(index: 36)
    public static let staffCleared = SignalType(index: 37)
    public static let attendantAcknowledged = SignalType(index: 38)
    public static let attendantResolved = SignalType(index: 39)
    public static let customerPresent = SignalType(index: 40)
    public static let customerLeft = SignalType(index: 41)
    public static let posState = SignalType(index: 42)
    public static let posMessage = SignalType(index: 43)
    public static let logMatch = SignalType(index: 44)
    public static let appUp = SignalType(index: 45)
    public static let appDown = SignalType(index: 46)
    public static let heartbeat = SignalType(index: 47)
    public static let screenChanged = SignalType(index: 48)
    public static let screenFrozen = SignalType(index: 49)
    public static let screenAlive = SignalType(index: 50)
    public static let screenBlank = SignalType(index: 51)
    public static let networkUp = SignalType(index: 52)
    public static let networkDown = SignalType(index: 53)
    public static let reachUp = SignalType(index: 54)
    public static let reachDown = SignalType(index: 55)
    public static let agentStarted = SignalType(index: 56)
    public static let backlogHigh = SignalType(index: 57)
    public static let backlogOk = SignalType(index: 58)
    public static let other = SignalType(index: 59)
}

extension AttributeName {
    public static let code = AttributeName(index: 0)
    public static let sym = AttributeName(index: 1)
    public static let check = AttributeName(index: 2)
    public static let reason = AttributeName(index: 3)
    public static let device = AttributeName(index: 4)
    public static let sku = AttributeName(index: 5)
    public static let txn = AttributeName(index: 6)
    public static let price = AttributeName(index: 7)
    public static let age = AttributeName(index: 8)
    public static let category = AttributeName(index: 9)
    public static let quantity = AttributeName(index: 10)
    public static let grams = AttributeName(index: 11)
    public static let expected = AttributeName(index: 12)
    public static let name = AttributeName(index: 13)
    public static let pay = AttributeName(index: 14)
    public static let amount = AttributeName(index: 15)
    public static let kind = AttributeName(index: 16)
    public static let unit = AttributeName(index: 17)
    public static let level = AttributeName(index: 18)
    public static let port = AttributeName(index: 19)
    public static let `class` = AttributeName(index: 20)
    public static let minutes = AttributeName(index: 21)
    public static let state = AttributeName(index: 22)
    public static let door = AttributeName(index: 23)
    public static let x = AttributeName(index: 24)
    public static let y = AttributeName(index: 25)
    public static let badge = AttributeName(index: 26)
    public static let intervention = AttributeName(index: 27)
    public static let by = AttributeName(index: 28)
    public static let verdict = AttributeName(index: 29)
    public static let text = AttributeName(index: 30)
    public static let rule = AttributeName(index: 31)
    public static let line = AttributeName(index: 32)
    public static let app = AttributeName(index: 33)
    public static let cpu = AttributeName(index: 34)
    public static let screenHash = AttributeName(index: 35)
    public static let screen = AttributeName(index: 36)
    public static let `if` = AttributeName(index: 37)
    public static let target = AttributeName(index: 38)
    public static let version = AttributeName(index: 39)
    public static let messages = AttributeName(index: 40)
    public static let oldestS = AttributeName(index: 41)
    public static let event = AttributeName(index: 42)
}
