import Testing

@testable import Screen

/// What is hidden follows from what is known, and what is not known is hidden.
@Suite struct MaskPlanTests {
    private let paying = MaskPlan.Entry(
        terms: [.init(state: "basket", value: "paying")], area: .init(nil), reason: "basket is paying")
    private let field = MaskPlan.Entry(
        area: .init(PixelRect(x: 0, y: 640, width: 420, height: 128), style: .blur), reason: "always")

    @Test func aMaskHoldsInItsState() {
        let plan = MaskPlan(entries: [paying, field])
        let open = plan.mask(["basket": "open", "till": nil])
        #expect(open.areas == [field.area] && open.reasons == ["always"] && !open.hidesAll)
        let paid = plan.mask(["basket": "paying"])
        #expect(paid.hidesAll && paid.reasons == ["basket is paying", "always"])
        #expect(
            paid.areas(of: PixelSize(width: 10, height: 10)) == [.init(PixelRect(x: 0, y: 0, width: 10, height: 10))])
    }

    @Test(arguments: [nil, ["basket": nil], ["other": "x"], [:]] as [[String: String?]?])
    func whatIsNotKnownIsHidden(states: [String: String?]?) {
        #expect(MaskPlan(entries: [paying, field]).mask(states).hidesAll)
        // Where the rest may be seen, what depends on it may not.
        #expect(MaskPlan(entries: [paying, field], unknown: .none).mask(states).hidesAll)
        let not = MaskPlan.Entry(
            terms: [.init(state: "basket", value: "open", isNegated: true)], area: .init(nil), reason: "")
        #expect(MaskPlan(entries: [not], unknown: .none).mask(states).hidesAll)
    }

    @Test func anAgentThatIsSilentHidesAllEvenWithoutMasks() {
        #expect(MaskPlan.standard.mask(nil).hidesAll)
        #expect(MaskPlan.standard.mask([:]).areas.isEmpty)
        #expect(MaskPlan(entries: [], unknown: .none).mask(nil).areas.isEmpty)
        #expect(MaskPlan(entries: [field], unknown: .none).mask(nil).areas == [field.area])
    }

    @Test func severalTermsMustAllHold() {
        let both = MaskPlan.Entry(
            terms: [.init(state: "a", value: "1"), .init(state: "b", value: "2", isNegated: true)], area: .init(nil),
            reason: "")
        let plan = MaskPlan(entries: [both])
        #expect(plan.mask(["a": "1", "b": "3"]).hidesAll)
        #expect(!plan.mask(["a": "1", "b": "2"]).hidesAll)
        #expect(!plan.mask(["a": "2", "b": "3"]).hidesAll)
    }

    @Test func anAreaMovesWithItsWindow() {
        let match = MaskPlan.WindowMatch.windowClass("PinEntry")
        let whole = MaskPlan.Entry(window: match, area: .init(nil), reason: "a PIN is entered")
        let part = MaskPlan.Entry(
            window: match, area: .init(PixelRect(x: 10, y: 10, width: 500, height: 20)), reason: "a PIN is entered")
        let place = PixelRect(x: 100, y: 50, width: 200, height: 100)
        let plan = MaskPlan(entries: [whole], unknown: .none)
        func placed(_ plan: MaskPlan, _ places: [PixelRect]?) -> Mask {
            plan.mask([:]).placed(on: WindowPlaces(places.map { [match: $0] }))
        }
        #expect(placed(plan, [place]).areas == [.init(place)])
        #expect(placed(plan, [place]).reasons == ["a PIN is entered"])
        #expect(placed(plan, []).areas.isEmpty && placed(plan, []).reasons.isEmpty)
        #expect(placed(plan, nil).hidesAll, "where the window is, nobody knows")
        #expect(
            placed(MaskPlan(entries: [part], unknown: .none), [place]).areas
                == [.init(PixelRect(x: 110, y: 60, width: 190, height: 20))])
    }
}
