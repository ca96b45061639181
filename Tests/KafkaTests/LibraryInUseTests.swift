import CRdKafka
import Foundation
import Testing

@testable import Kafka

/// Which librdkafka is loaded: `scripts/test-librdkafka` says which it means, and a run with another one proves nothing.
@Suite struct LibraryInUseTests {
    @Test func itIsTheOneThatIsMeant() {
        let loaded = String(cString: rd_kafka_version_str())
        #expect(loaded.hasPrefix(LibraryVersion.current.description))
        if let meant = ProcessInfo.processInfo.environment["LANEWATCH_LIBRDKAFKA"] { #expect(loaded == meant) }
    }
}
