import CLibFuzzer
import Glibc

/// `lanewatch-fuzz --target=NAME [libFuzzer's options] [CORPUS…]`, or `lanewatch-fuzz --write-seeds=FOLDER`.
///
/// The target is an option, not a word: libFuzzer starts this program again with all of its options, and passes over
/// those that begin with two dashes.
@main struct Main {
    static func main() {
        if let folder = option("--write-seeds=") {
            Seeds.write(below: folder)
            return
        }
        guard chosen != nil else {
            complain(
                "usage: lanewatch-fuzz --target=\(Target.all.map(\.name).joined(separator: "|")) [options] [corpus]\n")
            exit(2)
        }
        var count = CommandLine.argc
        var words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(
            LLVMFuzzerRunDriver(&count, &words) { base, count in
                chosen?.run(Array(UnsafeBufferPointer(start: base, count: count)))
                return 0
            })
    }

    static func option(_ name: String) -> String? {
        for word in CommandLine.arguments.dropFirst() where word.hasPrefix(name) {
            return String(word.dropFirst(name.count))
        }
        return nil
    }

    static func complain(_ text: String) { _ = text.withCString { write(2, $0, strlen($0)) } }
}

/// Read by a C function that can hold nothing.
private let chosen: Target? = Main.option("--target=").flatMap { name in Target.all.first { $0.name == name } }

/// Ends the program, so that libFuzzer keeps the input, where what has to hold does not.
func require(_ holds: Bool, _ what: @autoclosure () -> String) {
    if holds { return }
    Main.complain("does not hold: \(what())\n")
    abort()
}
