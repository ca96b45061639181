import Agent
import Lane

/// The configuration file.
enum Configurations {
    @Sendable static func run(_ input: [UInt8]) {
        let read = ConfigurationFile(file: "/etc/lanewatch/a.yaml", bytes: input)
        WrittenFiles.check(
            read.diagnostics, [("/etc/lanewatch/a.yaml", input)], isAccepted: read.configuration != nil)
        let again = ConfigurationFile(file: "/etc/lanewatch/a.yaml", bytes: input)
        require(again.diagnostics == read.diagnostics, "the same file reads the same")
        guard let configuration = read.configuration else { return }
        require(!configuration.identity.store.isEmpty && !configuration.identity.lane.isEmpty, "a lane has a name")
        require(configuration.stateFolder.hasPrefix("/"), "the state folder is absolute: \(configuration.stateFolder)")
        require(
            !configuration.ruleFiles.isEmpty && configuration.ruleFiles.allSatisfy { $0.hasPrefix("/") },
            "rule files are absolute: \(configuration.ruleFiles)")
        require(configuration.outboxBytes > 0 && configuration.heldSignals > 0, "limits are positive")
    }
}
