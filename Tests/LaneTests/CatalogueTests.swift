import Lane
import Testing

@Suite struct CatalogueTests {
    @Test func everyTypeIsFoundByItsName() {
        for type in SignalCatalogue.shipped.types {
            #expect(SignalType(type.name) == type)
            #expect(!SignalCatalogue.shipped[type].from.isEmpty)
            #expect(!SignalCatalogue.shipped[type].doc.isEmpty)
        }
        for name in SignalCatalogue.shipped.attributeNames { #expect(AttributeName(name)?.name == name) }
    }

    @Test(arguments: ["", "payment", "payment.started ", "PAYMENT.STARTED"])
    func whatIsNotInItIsNotFound(_ name: String) { #expect(SignalType(name) == nil) }

    @Test func constantsNameWhatTheySay() {
        #expect(SignalType.paymentStarted.name == "payment.started")
        #expect(SignalType.other.name == "other")
        #expect(AttributeName.if.name == "if")
        #expect(SignalCatalogue.shipped[.itemAccepted].declared(.price)?.unit == "minor")
    }
}
