import Dispatch
import Foundation
import Glibc

/// Runs a program and gives what it wrote. Standard error is not looked at.
///
/// By posix_spawn(3): Foundation's `Process` does not notice the end of a program whose own children live on, as a
/// cluster's brokers do.
func run(_ words: [String], _ environment: [String: String] = [:]) async throws -> String {
    String(decoding: try await child(words, environment) { _, _ in }, as: UTF8.self)
}

/// As `run`; `each` is told of everything written so far, after each piece, with the process's id.
func child(
    _ words: [String], _ environment: [String: String] = [:], _ each: @escaping @Sendable ([UInt8], pid_t) -> Void
) async throws -> [UInt8] {
    try await withCheckedThrowingContinuation { done in
        DispatchQueue.global().async { done.resume(with: Result { try spawn(words, environment, each) }) }
    }
}

private func spawn(
    _ words: [String], _ environment: [String: String], _ each: ([UInt8], pid_t) -> Void
) throws -> [UInt8] {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw CocoaError(.fileReadUnknown) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    var variables: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for word in arguments + variables { free(word) } }
    // The threads of the lane block all signals, and a child must not begin so.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var none = sigset_t()
    sigemptyset(&none)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var pid = pid_t()
    let code = posix_spawnp(&pid, words[0], &actions, &attributes, &arguments, &variables)
    close(ends[1])
    guard code == 0 else { throw CocoaError(.executableLoad) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(ends[0], &buffer, buffer.count)
        if count <= 0 { break }
        text += buffer[0..<count]
        each(text, pid)
    }
    var status: Int32 = 0
    waitpid(pid, &status, 0)
    return text
}
