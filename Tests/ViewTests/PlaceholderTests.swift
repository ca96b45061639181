import Screen
import Testing

@testable import View

@Suite struct PlaceholderTests {
    @Test func aSizeThatCannotBeShownIsNotUsable() {
        #expect(!PixelSize(width: 0, height: 10).isUsable)
        #expect(!PixelSize(width: 20_000, height: 10).isUsable)
        #expect(PixelSize(width: 1280, height: 1024).isUsable)
    }
}
