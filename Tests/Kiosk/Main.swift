import CLinux
import Glibc

/// A till to watch: `demo-kiosk [--display :N] [--socket PATH]`, then lines on standard input or the socket. Each is answered
/// with `ok` once it is on the screen, or with what is wrong; touched buttons are told as `touch NAME`. Never shipped.
@main struct Main {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        var (display, path): (String?, String?) = (nil, nil)
        var words = CommandLine.arguments.dropFirst()
        while let option = words.popFirst() {
            guard let value = words.popFirst(), ["--display", "--socket"].contains(option) else {
                complain("expected: demo-kiosk [--display :N] [--socket PATH]\nthen lines: \(Till.help)")
                exit(2)
            }
            if option == "--display" { display = value } else { path = value }
        }
        guard let window = KioskWindow(display: display) else {
            complain("no X server of 24 bits a pixel at \(display ?? "the variable DISPLAY"): is it running?")
            exit(1)
        }
        var listener: Int32?
        if let path {
            listener = LineSocket.listen(path)
            guard listener != nil else {
                complain("no socket at \(path): \(String(cString: strerror(errno)))")
                exit(1)
            }
        }
        let kiosk = Kiosk(window, listener: listener)
        kiosk.run()
        if let path { unlink(path) }
    }

    private static func complain(_ text: String) {
        let bytes = Array(("demo-kiosk: " + text + "\n").utf8)
        _ = write(2, bytes, bytes.count)
    }
}

/// The kiosk's loop: lines and touches in, pictures out.
final class Kiosk {
    private static let mostCallers = 5
    private static let frameMilliseconds: Int64 = 40

    private let window: KioskWindow
    private let listener: Int32?
    private var callers = [Caller(input: 0, output: 1)]
    private var till = Till()
    private var scene: Scene
    private var canvas: Canvas
    private var frame = 0
    private var nextFrame: Int64 = 0
    private var isEnding = false

    init(_ window: KioskWindow, listener: Int32?) {
        self.window = window
        self.listener = listener
        scene = Scene(width: window.width, height: window.height)
        canvas = Canvas(width: window.width, height: window.height)
        scene.draw(till, &canvas)
        putAll()
    }

    /// Until standard input and the socket are closed, `quit`, or the X server goes.
    func run() {
        while !isEnding, !window.isGone, !callers.isEmpty || listener != nil {
            readEvents()
            if isPlaying, now() >= nextFrame { play() }
            wait()
        }
    }

    private var isPlaying: Bool { till.playsVideo && till.stage == .basket }

    /// Sleeps until there is something to do: without video, for as long as it takes.
    private func wait() {
        var waiting = [pollfd(fd: window.descriptor, events: Int16(POLLIN), revents: 0)]
        waiting += callers.map { pollfd(fd: $0.input, events: Int16(POLLIN), revents: 0) }
        if let listener { waiting.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0)) }
        let timeout = isPlaying ? max(0, nextFrame - now()) : -1
        guard poll(&waiting, nfds_t(waiting.count), Int32(timeout)) > 0 else { return }
        // From the end, so that those that go do not move the others.
        for place in callers.indices.reversed() where waiting[place + 1].revents != 0 { hear(place) }
        guard let listener, waiting.last?.fd == listener, waiting.last?.revents != 0 else { return }
        let raw = accept4(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
        guard raw >= 0 else { return }
        if callers.count < Self.mostCallers { callers.append(Caller(input: raw, output: raw)) } else { close(raw) }
    }

    private func hear(_ place: Int) {
        guard let lines = callers[place].lines() else {
            let gone = callers.remove(at: place)
            if gone.input > 2 { close(gone.input) }
            return
        }
        for line in lines where !line.isEmpty {
            if line == "quit" { isEnding = true }
            let answer = line == "quit" ? "ok" : perform(line)
            callers[place].say(answer)
        }
    }

    private func perform(_ line: String) -> String {
        let before = till
        do throws(Till.Fault) { try till.apply(line, rows: scene.rows) } catch { return "error: \(error)" }
        // As a toolkit does it: what scrolls is moved by the server, and only the new row is drawn.
        let rows = till.firstRow - before.firstRow
        if till.stage == before.stage, (1..<scene.rows).contains(rows) {
            window.moveUp(scene.list, by: rows * scene.rowHeight)
            canvas.moveUp(scene.list, by: rows * scene.rowHeight)
        }
        draw()
        window.synchronise()
        return "ok"
    }

    private func readEvents() {
        while let event = window.nextEvent() {
            switch event {
            case .exposed: putAll()
            case .resized(let width, let height):
                scene = Scene(width: width, height: height)
                canvas = Canvas(width: width, height: height)
                scene.draw(till, &canvas)
                putAll()
            case .touched(let x, let y):
                guard let button = scene.button(atX: x, y: y, till) else { continue }
                till.touched = button
                callers.first?.say("touch \(button.rawValue)")
                let lines: [Till.Button: String] = [.start: "basket open", .pay: "pay", .help: "help on"]
                draw()
                if let line = lines[button] { _ = perform(line) }
            case .released:
                till.touched = nil
                draw()
            }
        }
    }

    /// Brings what changed to the screen, and nothing else.
    private func draw() {
        let old = canvas
        scene.draw(till, &canvas)
        if isPlaying { scene.drawVideo(frame, &canvas) }
        for rect in canvas.differences(from: old) { window.put(rect, of: canvas) }
        window.flush()
    }

    private func play() {
        frame += 1
        scene.drawVideo(frame, &canvas)
        window.put(scene.video, of: canvas)
        window.flush()
        nextFrame = max(nextFrame + Self.frameMilliseconds, now())
    }

    private func putAll() {
        window.put(Canvas.Rect(x: 0, y: 0, width: canvas.width, height: canvas.height), of: canvas)
        window.flush()
    }

    /// Milliseconds of CLOCK_MONOTONIC.
    private func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
