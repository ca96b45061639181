import Foundation
import Testing

@testable import Outbox

/// Each way in which a file can stop being where it was is seen by the next call, and nothing else costs a look.
struct PlaceWatchTests {
    private let files = FileManager.default

    private func write(_ path: String) { #expect(files.createFile(atPath: path, contents: Data([1]))) }

    @Test func whateverTouchesANameIsSeenOnce() throws {
        let top = try Folder()
        let above = top.path + "/above"
        let folder = above + "/state"
        try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
        write(folder + "/a")
        let watch = try #require(PlaceWatch(folder: folder))
        #expect(!watch.hasSeenChange())

        let changes: [(String, () throws -> Void)] = [
            ("a file made", { write(folder + "/b") }),
            ("a file taken away", { try files.removeItem(atPath: folder + "/a") }),
            ("a file put over another", { #expect(rename(top.path + "/c", folder + "/b") == 0) }),
            ("a folder above moved", { try files.moveItem(atPath: above, toPath: top.path + "/elsewhere") }),
            ("the folder itself moved", { #expect(rename(top.path + "/elsewhere/state", top.path + "/lost") == 0) }),
            ("the folder removed", { try files.removeItem(atPath: top.path + "/lost") }),
        ]
        write(top.path + "/c")
        for (what, change) in changes {
            #expect(!watch.hasSeenChange(), "before \(what)")
            try change()
            #expect(watch.hasSeenChange(), "\(what)")
            #expect(!watch.hasSeenChange(), "after \(what)")
        }
    }

    @Test func writingIntoAFileIsNoChange() throws {
        let folder = try Folder()
        write(folder.path + "/a")
        let watch = try #require(PlaceWatch(folder: folder.path))
        let file = try #require(FileHandle(forUpdatingAtPath: folder.path + "/a"))
        try file.write(contentsOf: Data(repeating: 7, count: 10_000))
        try file.synchronize()
        try file.truncate(atOffset: 10)
        #expect(!watch.hasSeenChange())
    }

    /// A link may be turned elsewhere unseen.
    @Test func aPathThroughALinkIsNotWatched() throws {
        let folder = try Folder()
        try files.createDirectory(atPath: folder.path + "/real/state", withIntermediateDirectories: true)
        try files.createSymbolicLink(atPath: folder.path + "/link", withDestinationPath: folder.path + "/real")
        #expect(PlaceWatch(folder: folder.path + "/link/state") == nil)
        #expect(PlaceWatch(folder: folder.path + "/none") == nil)
    }
}
