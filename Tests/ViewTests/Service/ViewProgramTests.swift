import CLinux
import Foundation
import RFBClient
import Testing

/// The view as it is installed: its program, started by its sockets, and in the demonstration beside a till.
@Suite(.serialized, .timeLimit(.minutes(3))) struct ViewProgramTests {
    private static let products = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()
    private static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// A program whose output is gathered in a file, and that does not outlive the test.
    private final class Run {
        let process = Process()
        private let output: String

        init(_ path: String, _ words: [String], in folder: String, output: String = "output") throws {
            self.output = "\(folder)/\(output)"
            #expect(FileManager.default.createFile(atPath: self.output, contents: nil))
            let file = try #require(FileHandle(forWritingAtPath: self.output))
            process.executableURL = URL(fileURLWithPath: path)
            process.arguments = words
            process.standardInput = FileHandle.nullDevice
            process.standardOutput = file
            process.standardError = file
            try process.run()
            try file.close()
        }

        deinit {
            guard process.isRunning else { return }
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }

        var text: String { (try? String(contentsOfFile: output, encoding: .utf8)) ?? "" }

        func ended(within seconds: Int) -> Int32? {
            for _ in 0..<seconds * 100 where process.isRunning { usleep(10_000) }
            return process.isRunning ? nil : process.terminationStatus
        }

        /// What follows `label` in the output, up to the line's end.
        func value(after label: String) throws -> String {
            for _ in 0..<3000 {
                if let found = text.firstRange(of: label) {
                    let rest = text[found.upperBound...]
                    if let end = rest.firstIndex(of: "\n") { return rest[..<end].trimmingCharacters(in: .whitespaces) }
                }
                try #require(process.isRunning, "it ended: \(text)")
                usleep(10_000)
            }
            throw Missing(label: label, text: text)
        }
    }

    private struct Missing: Error, CustomStringConvertible {
        var label: String
        var text: String
        var description: String { "\"\(label)\" does not come in: \(text)" }
    }

    private final class Folder {
        let path: String
        init() throws {
            var template = Array("/tmp/lanewatch-program-XXXXXX".utf8CString)
            #expect(mkdtemp(&template) != nil)
            path = template.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" }
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func connect(port: UInt16) throws -> Int32 {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        for _ in 0..<1000 {
            let code = withUnsafePointer(to: &address) { address in
                address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(raw, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if code == 0 { return raw }
            usleep(10_000)
        }
        close(raw)
        throw Missing(label: "a listener on \(port)", text: "")
    }

    private func freePort() throws -> UInt16 {
        let raw = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(raw) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(raw, address, length) == 0 ? getsockname(raw, address, &length) : -1
            }
        }
        try #require(code == 0)
        return UInt16(bigEndian: address.sin_port)
    }

    private func read(_ raw: Int32, _ count: Int) throws -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < count {
            var waiting = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
            try #require(poll(&waiting, 1, 20_000) == 1, "nothing comes")
            var piece = [UInt8](repeating: 0, count: count - bytes.count)
            let got = Glibc.read(raw, &piece, piece.count)
            try #require(got > 0, "it was closed")
            bytes += piece[..<got]
        }
        return bytes
    }

    /// systemd's own tool passes the sockets, as the units do.
    @Test func itsSocketsStartItAndItEndsWhenNobodyIsThere() throws {
        let folder = try Folder()
        let config = """
            format: 1
            store: "1"
            lane: "7"
            state: \(folder.path)/state
            rules: [\(Self.repository.path)/rules]
            control: {path: \(folder.path)/control.sock}
            kafka: {bootstrap.servers: "127.0.0.1:9"}
            view: {display: ":54321", everybody: view, linger: 1s}
            """
        try config.write(toFile: folder.path + "/lanewatch.yaml", atomically: true, encoding: .utf8)
        let (rfb, https) = (try freePort(), try freePort())
        let run = try Run(
            "/usr/bin/systemd-socket-activate",
            [
                "-l", "127.0.0.1:\(rfb)", "-l", "127.0.0.1:\(https)", "--fdname=rfb:https",
                Self.products.path + "/lanewatch", "view", "--config", folder.path + "/lanewatch.yaml",
            ], in: folder.path)
        usleep(300_000)
        #expect(run.process.isRunning, "\(run.text)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/state/view/identity.pem"), "not before")
        let raw = try connect(port: rfb)
        #expect(String(decoding: try read(raw, 12), as: UTF8.self) == "RFB 003.008\n")
        // As long as somebody is there, it stays.
        for _ in 0..<25 { usleep(100_000) }
        #expect(run.process.isRunning, "\(run.text)")
        close(raw)
        #expect(run.ended(within: 15) == 0, "\(run.text)")
    }

    /// `make demo`: the till is seen, and black while the customer pays.
    @Test func theDemonstrationShowsATillAndHidesThePayment() throws {
        let folder = try Folder()
        let before = try Self.demonstrations()
        let display = try Run(
            "/usr/bin/Xvfb", ["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset"],
            in: folder.path, output: "display")
        var number = ""
        for _ in 0..<2000 where number.isEmpty {
            usleep(10_000)
            number = display.text.split(separator: "\n").last { $0.allSatisfy(\.isNumber) }.map(String.init) ?? ""
        }
        try #require(!number.isEmpty, "\(display.text)")
        let till = try Run(
            Self.products.path + "/demo-kiosk", ["--display", ":\(number)", "--socket", folder.path + "/till.sock"],
            in: folder.path, output: "till")
        for _ in 0..<1000 where !FileManager.default.fileExists(atPath: folder.path + "/till.sock") { usleep(10_000) }
        let demo = try Run(
            Self.products.path + "/lanewatch",
            [
                "demo", "--for", "11s", "--rules", Self.repository.path + "/rules", "--screen", ":\(number)", "--till",
                folder.path + "/till.sock",
            ], in: folder.path)
        let address = try demo.value(after: "in a VNC viewer:")
        let port = try #require(address.split(separator: ":").last.flatMap { UInt16($0) })
        let raw = try connect(port: port)
        _ = try read(raw, 12)
        _ = Array("RFB 003.003\n".utf8).withUnsafeBytes { write(raw, $0.baseAddress, 12) }
        #expect(try read(raw, 4) == [0, 0, 0, 1], "nobody is asked")
        _ = write(raw, [UInt8(1)], 1)
        let client = try RFBClient(owning: raw, format: .rgb888)
        try client.begin(encodings: [RFBClient.zrle])
        // What was seen, in order: black or not.
        var seen: [Bool] = []
        while demo.process.isRunning {
            let event: RFBClient.Event?
            do { event = try client.hear(milliseconds: 200) } catch { break }
            guard event != nil else { continue }
            let isBlack = client.picture.pixels.allSatisfy { $0 & 0xffffff == 0 }
            if seen.last != isBlack { seen.append(isBlack) }
        }
        #expect(demo.ended(within: 30) == 0, "\(demo.text)")
        #expect(client.name == "lane demo-1, store demo")
        // Before the first word of the basket's state it may be black; while it pays, to the end, it is.
        #expect(seen.suffix(2) == [false, true], "\(seen)")
        #expect(!demo.text.contains("lanewatch demo:"), "\(demo.text)")
        #expect(!till.text.contains("demo-kiosk:"), "\(till.text)")
        #expect(try Self.demonstrations().subtracting(before).isEmpty, "it leaves nothing behind")
    }

    private static func demonstrations() throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: "/tmp").filter { $0.hasPrefix("lanewatch-demo-") })
    }
}
