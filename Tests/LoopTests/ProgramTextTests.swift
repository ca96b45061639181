import Foundation
import Glibc
import Loop
import Testing

@testable import Loop

@Suite struct ProgramTextTests {
    /// Kilobytes of program code that are mapped.
    private func mapped() throws -> Int {
        var (sum, isCode) = (0, false)
        // `String(contentsOfFile:)` stops where the kernel gives less than a page.
        let text = try #require(try FileHandle(forReadingAtPath: "/proc/self/smaps")?.readToEnd())
        for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
            if line.contains(" r-xp ") || line.contains(" r--p ") || line.contains("rw-p") {
                isCode = line.contains(" r-xp ") && line.contains("/")
            } else if isCode, line.hasPrefix("Rss:") {
                sum += Int(line.split(separator: " ")[1]) ?? 0
            }
        }
        return sum
    }

    @Test func whatStartingNeededIsUnmappedAndComesBack() throws {
        let text = "the code that this test needs comes back by itself"
        let before = try mapped()
        let digest = text.utf8.reduce(0) { $0 &* 31 &+ Int($1) }
        #expect(ProgramText.release() > 1 << 20)
        // Read by little code: most of it is not there any more.
        let after = try mapped()
        #expect(after < before, "\(before) kB before, \(after) kB after")
        #expect(text.utf8.reduce(0) { $0 &* 31 &+ Int($1) } == digest)
    }

    /// A page that was written to is nobody's copy: it would be lost.
    @Test func aPartThatDiffersFromItsFileIsLeftAlone() throws {
        let path = NSTemporaryDirectory() + "lanewatch-text-\(getpid())"
        defer { unlink(path) }
        try Data(repeating: 7, count: 8192).write(to: URL(fileURLWithPath: path))
        let file = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(file) }
        let flags = MAP_PRIVATE
        let memory = try #require(mmap(nil, 8192, PROT_READ | PROT_WRITE, flags, file, 0))
        defer { munmap(memory, 8192) }
        memory.storeBytes(of: 9, as: UInt8.self)
        #expect(mprotect(memory, 8192, PROT_READ | PROT_EXEC) == 0)
        let start = UInt(bitPattern: memory)
        #expect(!ProgramText.parts().contains { $0.contains(start) })
        ProgramText.release()
        #expect(memory.load(as: UInt8.self) == 9 && memory.load(fromByteOffset: 1, as: UInt8.self) == 7)
        // One that is as in its file is taken.
        let other = try #require(mmap(nil, 8192, PROT_READ | PROT_EXEC, flags, file, 0))
        defer { munmap(other, 8192) }
        #expect(ProgramText.parts().contains { $0.contains(UInt(bitPattern: other)) })
        #expect(other.load(as: UInt8.self) == 7)
    }
}
