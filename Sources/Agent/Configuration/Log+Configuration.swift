import Telemetry

extension Log {
    /// The log that `log:` of the configuration describes, with the lane in each record.
    public convenience init(_ configuration: Configuration, isColoured: Bool) {
        let format: LogFormat
        switch configuration.log.format {
        case .auto: format = .suitable()
        case .text: format = .text(colour: isColoured)
        case .json: format = .json
        case .journal: format = .journal
        }
        self.init(
            level: LogRecord.Level(configuration.log.level), sink: format.sink(),
            context: [.store: "\(configuration.identity.store)", .lane: "\(configuration.identity.lane)"])
    }
}
