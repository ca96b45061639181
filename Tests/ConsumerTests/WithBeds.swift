import KafkaBed
import PostgresBed
import Testing

/// One Kafka of three brokers and one PostgreSQL for a whole suite.
struct WithBeds: SuiteTrait, TestScoping {
    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let postgres = try PostgresBed()
        defer { postgres.end() }
        let kafka = try await KafkaBed(nodes: 3)
        do {
            try await Beds.$current.withValue(Beds(kafka: kafka, postgres: postgres)) { try await function() }
        } catch {
            await kafka.end()
            throw error
        }
        await kafka.end()
    }
}

extension SuiteTrait where Self == WithBeds {
    static var withBeds: WithBeds { WithBeds() }
}
