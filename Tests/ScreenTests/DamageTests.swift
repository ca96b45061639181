import Testing

@testable import Screen

@Suite struct DamageTests {
    @Test func itCoversAllThatWasAddedAndStaysBounded() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            var damage = Damage()
            var added: [PixelRect] = []
            for _ in 0..<300 {
                let rect = PixelRect(
                    x: Int.random(in: 0..<1000, using: &random), y: Int.random(in: 0..<1000, using: &random),
                    width: Int.random(in: 0..<40, using: &random), height: Int.random(in: 1..<40, using: &random))
                added.append(rect)
                damage.add(rect)
                #expect(damage.rects.count <= Damage.limit)
            }
            for rect in added where !rect.isEmpty {
                for (x, y) in [(rect.x, rect.y), (rect.right - 1, rect.bottom - 1), (rect.x, rect.bottom - 1)] {
                    let pixel = PixelRect(x: x, y: y, width: 1, height: 1)
                    #expect(damage.rects.contains { $0.contains(pixel) })
                }
            }
        }
    }

    @Test func whatIsCoveredIsNotKeptTwice() {
        var damage = Damage(PixelRect(x: 0, y: 0, width: 100, height: 100))
        damage.add(PixelRect(x: 10, y: 10, width: 5, height: 5))
        #expect(damage.rects.count == 1)
        damage.add(PixelRect(x: -5, y: -5, width: 200, height: 200))
        #expect(damage.rects == [PixelRect(x: -5, y: -5, width: 200, height: 200)])
        #expect(damage.clipped(to: PixelSize(width: 50, height: 40).bounds).bounds.area == 2000)
    }
}
