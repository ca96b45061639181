import Lane
import Testing

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("chekc", "check", 1),
        ("abcd", "badc", 2),
        ("ca", "abc", 3), ("é", "e", 1), ("heartbeta", "heartbeat", 1), ("a", "b", 1),
    ])
    func distancesAreThoseOfOptimalStringAlignment(_ a: String, _ b: String, _ distance: Int) {
        #expect(EditDistance.between(a, b) == distance)
        #expect(EditDistance.between(b, a) == distance)
    }

    /// The definition, without a table.
    private func slow(_ a: ArraySlice<UInt8>, _ b: ArraySlice<UInt8>) -> Int {
        guard let x = a.last, let y = b.last else { return max(a.count, b.count) }
        var least = min(slow(a.dropLast(), b) + 1, slow(a, b.dropLast()) + 1)
        least = min(least, slow(a.dropLast(), b.dropLast()) + (x == y ? 0 : 1))
        if a.count > 1, b.count > 1, a.dropLast().last == y, b.dropLast().last == x {
            least = min(least, slow(a.dropLast(2), b.dropLast(2)) + 1)
        }
        return least
    }

    @Test func randomWordsHaveTheDistanceOfTheDefinition() {
        for _ in 0..<300 {
            let a = (0..<Int.random(in: 0...6)).map { _ in UInt8.random(in: 97...99) }
            let b = (0..<Int.random(in: 0...6)).map { _ in UInt8.random(in: 97...99) }
            #expect(
                EditDistance.between(String(decoding: a, as: UTF8.self), String(decoding: b, as: UTF8.self))
                    == slow(a[...], b[...]))
        }
    }

    @Test func theNearestIsTheFirstOfThoseThatAreAlikeEnough() {
        #expect(EditDistance.nearest(to: "staet", among: ["stat", "state", "start"]) == "stat")
        #expect(EditDistance.nearest(to: "xyz", among: ["state", "abc"]) == nil)
        #expect(EditDistance.nearest(to: "abxyz", among: ["abcde"]) == nil)
        #expect(EditDistance.nearest(to: "abcyz", among: ["abcde"]) == "abcde")
        #expect(
            EditDistance.nearest(to: String(repeating: "a", count: 129), among: [String(repeating: "a", count: 129)])
                == nil)
        #expect(EditDistance.nearest(to: "", among: ["a"]) == nil)
    }
}
