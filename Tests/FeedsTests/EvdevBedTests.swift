import Testing

/// The two feeds with real libevdev, libudev and xkbcommon, in a process of their own, on pretended devices.
///
/// Gaps and silences are wide here: the bed's keys are stamped when they are written, and a busy machine writes late. The
/// limits themselves are tested on the pure decoder.
@Suite(.serialized, .enabled(if: EvdevBed.isInstalled, EvdevBed.missing)) struct EvdevBedTests {
    private func list(_ more: String = "", scanner: String = "") -> String {
        #"[{"role":"scanner","kind":"scanner","vendor":"05e0","product":"1200","gap":900,"silence":1000"#
            + scanner + "}" + more + "]"
    }

    private func bed(scanner: String = "", plug: String = "plug s scanner node=event3") throws -> EvdevBed {
        let bed = try EvdevBed()
        try bed.tell(plug)
        try bed.startProbe(list(scanner: scanner))
        try bed.tell("opened s 5000")
        return bed
    }

    @Test(arguments: ["4", "20"]) func aWedgeScannerReads(gap: String) throws {
        let bed = try bed()
        try bed.tell("scan s 4006381333931 gap=\(gap)")
        try bed.await("scan.read")
        try bed.tell("scan s 4006381333931 gap=\(gap) suffix=crlf first=enter hold=1")
        try bed.tell("scan s ]E09783161484100 gap=\(gap) suffix=crdown")
        try bed.tell("scan s ]C0ABC-12345 gap=\(gap) suffix=none")
        try bed.await("ABC-12345")
        #expect(
            bed.lines("signal scan.read") == [
                "code=4006381333931 check=ok", "code=4006381333931 check=ok", "code=9783161484100 sym=]E0 check=ok",
                "code=ABC-12345 sym=]C0 check=none",
            ])
        #expect(bed.lines("gap").isEmpty)
        #expect(try bed.tell("grab s") == "grab 0")
        #expect(try bed.stopProbe())
    }

    @Test func groupSeparatorsComeAsTheyAreTyped() throws {
        let bed = try bed()
        try bed.tell(#"scan s ']C1010400638133393110ABC\x1d21XYZ'"#)
        try bed.tell(#"scan s ']C1010400638133393110ABC\x1d21XYZ' alt"#)
        try bed.scanSentinel()
        let expected = #"code=010400638133393110ABC\x1d21XYZ sym=]C1 check=ok"#
        #expect(Array(bed.lines("signal scan.read").prefix(2)) == [expected, expected])
        #expect(try bed.stopProbe())
    }

    @Test(arguments: [
        ("de", "]Q1Zy-/?#^_(x)"), ("fr", "]Q1aqwzm1234567"), ("us", "]Q1zy-/?#^_(x)~|"),
    ])
    func layoutsAreTheScanners(layout: String, text: String) throws {
        let bed = try bed(scanner: #","layout":"\#(layout)""#)
        try bed.tell("scan s '\(text)' layout=\(layout)")
        try bed.await("scan.")
        #expect(bed.lines("signal scan.read") == ["code=\(text.dropFirst(3)) sym=]Q1 check=none"])
        #expect(try bed.stopProbe())
    }

    @Test func aDropInTheMiddleIsNeverACode() throws {
        let bed = try bed()
        // What is left of it is a valid EAN-8 with a right check digit: a plausible false code.
        try bed.tell("scan s 9638507496385074 drop=0:8")
        try bed.await("after_drop")
        try bed.tell("scan s 4006381333931 drop=5:3")
        try bed.await("after_drop")
        try bed.scanSentinel()
        #expect(bed.lines("gap") == ["evdev scanner SYN_DROPPED", "evdev scanner SYN_DROPPED"])
        #expect(bed.lines("signal scan.rejected") == ["reason=after_drop", "reason=after_drop"])
        #expect(bed.lines("signal scan.read") == ["code=SENTINEL-END check=none"])
        #expect(try bed.stopProbe())
    }

    @Test func aShiftHeldThroughADropIsKnown() throws {
        let bed = try bed()
        try bed.tell(["key s 42 1", "drop s", "wait 1100", "key s 30", "key s 42 0", "scan s bcdef-1"])
        try bed.await("scan.read")
        #expect(bed.lines("signal scan.read") == ["code=Abcdef-1 check=none"])
        #expect(try bed.stopProbe())
    }

    @Test(arguments: ["event3", "event9"]) func aScannerComesBack(node: String) throws {
        let bed = try bed()
        try bed.scanSentinel()
        try bed.tell("scan s 400638 suffix=none")
        try bed.tell("unplug s")
        try bed.await("unplugged")
        try bed.await("device.detached")
        try bed.tell("plug s scanner node=\(node)")
        try bed.tell("opened s 5000")
        try bed.scanSentinel()
        #expect(
            bed.lines("signal device.attached").last == "device=scanner port=/dev/input/\(node) class=input")
        #expect(bed.lines("signal device.detached") == ["device=scanner port=/dev/input/event3 class=input"])
        #expect(bed.lines("signal scan.rejected") == ["reason=unplugged"])
        #expect(bed.lines("signal scan.read").count == 2)
        #expect(try bed.stopProbe())
    }

    @Test func flappingIsSurvived() throws {
        let bed = try bed()
        for _ in 0..<12 { try bed.tell(["unplug s", "plug s scanner node=event3"]) }
        try bed.tell("opened s 8000")
        try bed.scanSentinel()
        #expect(bed.lines("signal device.attached").count == 13)
        #expect(bed.lines("signal device.detached").count == 12)
        #expect(try bed.stopProbe())
    }

    @Test func aNodeThatComesLateIsOpened() throws {
        let bed = try EvdevBed()
        try bed.startProbe(list())
        #expect(bed.lines("signal device.detached") == ["device=scanner"])
        try bed.tell("plug s scanner hidden")
        try bed.await("cannot be opened")
        try bed.await("gap evdev scanner")
        try bed.tell("show s")
        try bed.tell("opened s 8000")
        try bed.scanSentinel()
        #expect(try bed.stopProbe())
    }

    @Test func anUnpluggedDeviceCostsNothing() throws {
        let bed = try bed()
        try bed.tell("unplug s")
        try bed.await("device.detached")
        func wakeUps() throws -> Int {
            try bed.tell("kill p USR2")
            try bed.await("wakeups")
            return bed.lines("wakeups").last.flatMap { Int($0) } ?? -1
        }
        let before = try wakeUps()
        try bed.tell("wait 700")
        // The probe's own two questions wake it too.
        #expect(try wakeUps() - before < 10)
    }

    @Test(arguments: [
        "swipe s '%B5413330089010442^DOE/JOHN^2512101000000000?' ';5413330089010442=25121010000000000000?'",
        "scan s 5413330089010442", "scan s ';5413330089010442=2512101?' alt", "scan s '5413 3300 8901 0442' gap=20",
    ])
    func aCardOnAScannerLeavesNothing(swipe: String) throws {
        let bed = try bed()
        try bed.tell(swipe)
        try bed.await("card.swiped")
        try bed.tell("memory p 5413330089010442")
        try bed.tell("wait 600")
        try bed.scanSentinel()
        #expect(bed.lines("signal card.swiped") == ["device=scanner"])
        #expect(bed.lines("signal scan.read").count == 1)
        #expect(!bed.lines.contains { $0.contains("5413") || $0.contains("0442") || $0.contains("DOE") })
        #expect(try bed.stopProbe())
    }

    @Test func aCardReaderSaysOnlyThatACardWasThere() throws {
        let bed = try EvdevBed()
        try bed.tell("plug m msr")
        try bed.startProbe(#"[{"role":"reader","kind":"msr","vendor":"0801"}]"#)
        try bed.tell("opened m 5000")
        try bed.tell("swipe m '%B5413330089010442^DOE/JOHN^2512?' ';5413330089010442=2512?'")
        try bed.await("card.swiped")
        try bed.tell("memory p 5413330089010442")
        try bed.tell(["wait 700", "scan m 1234567"])
        try bed.await("card.swiped")
        #expect(bed.lines("signal card.swiped") == ["device=reader", "device=reader"])
        #expect(!bed.lines.contains { $0.contains("5413") || $0.contains("123") })
        #expect(try bed.stopProbe())
    }

    /// The search for secrets finds what is there: a reader that keeps its events, and a code that is no secret.
    @Test func theSearchForSecretsFindsThem() throws {
        let bed = try bed()
        try bed.tell("scan s 9783161484100")
        try bed.await("scan.read")
        func found() -> String {
            do { try bed.tell("memory p 9783161484100") } catch { return "\(error)" }
            return "nothing"
        }
        #expect(found().contains("ASCII"))
        try bed.tell("kill p")
        try bed.tell("reap p 5000")
        let reader = """
            import fcntl, os, struct
            fd = os.open("/dev/input/event3", os.O_RDONLY)
            fcntl.ioctl(fd, 0x400445a0, struct.pack("<i", 1))
            kept = b""
            while len(kept) < 27 * 48: kept += os.read(fd, 4096)
            print("started", flush=True)
            os.read(fd, 1 << 16); os.read(fd, 1 << 16)
            """
        try bed.tell("start p /usr/bin/python3 -c '" + "exec(bytes.fromhex(\"\(hex(reader))\"))" + "'")
        try bed.tell("opened s 5000")
        try bed.tell("scan s 9783161484100")
        try bed.tell("await p 5000 started")
        #expect(found().contains("input events"))
    }

    private func hex(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test func touchesAndKeyPadsSayOnlyThatSomebodyIsThere() throws {
        let bed = try EvdevBed()
        try bed.tell(["plug t touch", "plug u multitouch", "plug k keypad"])
        try bed.startProbe(
            """
            [{"role":"screen","kind":"touch","name":"Elo*"},{"role":"panel","kind":"touch","name":"ELAN Touch?creen"},\
            {"role":"pad","kind":"keypad","vendor":"04d9"}]
            """)
        try bed.tell(["opened t 5000", "opened u 5000", "opened k 5000"])
        try bed.tell(["tap t 1717 929", "drag u 1717 929 1718 930 1719 931", "tap u 5 6"])
        for _ in 0..<3 { try bed.await("signal touch") }
        try bed.tell(["key k 5", "key k 6 1 2 2 0"])
        for _ in 0..<2 { try bed.await("signal keypad") }
        #expect(
            bed.lines.filter { $0.hasPrefix("signal touch") || $0.hasPrefix("signal keypad") } == [
                "signal touch", "signal touch", "signal touch", "signal keypad", "signal keypad",
            ])
        for device in ["t", "u", "k"] { #expect(try bed.tell("grab \(device)") == "grab 0") }
        #expect(try bed.stopProbe())
    }

    @Test func whatIsNotOnTheListIsNeverOpened() throws {
        let bed = try EvdevBed()
        try bed.tell(["plug k keyboard", "plug m mouse", "plug s scanner node=event3"])
        try bed.startProbe(list())
        try bed.tell(["opened s 5000", "plug l keyboard", "plug n scanner vendor=05e1", "plug h scanner class=hidraw"])
        try bed.tell("scan k 1234567890")
        try bed.scanSentinel()
        for device in ["k", "m", "l", "n", "h"] { try bed.tell("expect \(device) opens=0 grab=0") }
        #expect(bed.lines("signal scan.read").count == 1)
        #expect(try bed.stopProbe())
    }

    @Test func aNodeThatCannotTypeIsClosedAgain() throws {
        let bed = try EvdevBed()
        try bed.tell(["plug v mouse vendor=05e0 product=1200", "plug s scanner node=event8"])
        try bed.startProbe(list())
        try bed.tell("opened s 5000")
        try bed.scanSentinel()
        #expect(bed.lines("note debug").count == 1)
        #expect(bed.lines("signal device.attached").count == 1)
        #expect(try bed.stopProbe())
    }

    @Test func rolesComeAndGoInEveryClass() throws {
        let bed = try EvdevBed()
        try bed.tell(["plug p scanner class=usb-printer vendor=04b8 product=0202", "plug s scanner node=event3"])
        try bed.startProbe(
            list(
                #","# + #"{"role":"printer","kind":"presence","vendor":"04b8"},"#
                    + #"{"role":"scale","kind":"presence","property":"ID_MODEL=Scale_9"},"#
                    + #"{"role":"pin","kind":"presence","vendor":"11ca"}"#))
        #expect(bed.lines("signal device.attached").contains("device=printer port=/dev/usb/lp1 class=usb-printer"))
        #expect(bed.lines("signal device.detached") == ["device=scale", "device=pin"])
        try bed.tell("plug t scanner class=tty vendor=0eb8 product=f000 prop=ID_MODEL=Scale_9")
        try bed.await("device.attached device=scale port=/dev/ttyACM3 class=tty")
        try bed.tell("plug h scanner class=hidraw vendor=11ca product=0220")
        try bed.await("device.attached device=pin port=/dev/hidraw4 class=hidraw")
        try bed.tell(["unplug p", "unplug t", "unplug h"])
        for role in ["printer", "scale", "pin"] { try bed.await("device.detached device=\(role) port=") }
        #expect(try bed.stopProbe())
    }

    /// The agent dies and is started again while the devices live on.
    @Test func aKilledProbeStartsAfresh() throws {
        let bed = try bed()
        try bed.tell(["scan s 400638 suffix=none", "kill p", "reap p 5000", "scan s 1333931"])
        try bed.startProbe(list())
        try bed.tell("opened s 5000")
        try bed.scanSentinel()
        #expect(bed.lines("signal scan.read") == ["code=SENTINEL-END check=none"])
        #expect(try bed.stopProbe())
    }
}
