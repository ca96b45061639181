import CommandLine

/// `lanewatch manual FORM`: the manual page and completions, from the table.
enum ManualCommand {
    /// The day the page's text was last looked at.
    static let date = "2026-11-21"

    static func perform(_ arguments: Arguments) -> Int32 {
        switch arguments[Table.form] {
        case "man": Terminal.out(Table.all.manual(date: date))
        default: Terminal.out(Table.all.bashCompletion())
        }
        return 0
    }
}
