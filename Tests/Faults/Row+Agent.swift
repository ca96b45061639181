import FaultParts
import Foundation

extension Row {
    /// kill -9 of the agent.
    static let ofTheAgent: [Row] = [
        Row("kill-steady", "kill -9 of the agent in steady flow, three times") { trial in
            for _ in 0..<3 {
                try await trial.pause(0.05...1.2)
                try await trial.killAgent()
                try await trial.pause(0...0.3)
                try await trial.startAgent()
            }
        },
        Row("kill-outage", "kill -9 of the agent while no broker can be reached") { trial in
            try trial.proxy().set(trial.chance.coin() ? .refused : .silent)
            try await trial.pause(0.3...2)
            for _ in 0..<2 {
                try await trial.killAgent()
                try await trial.startAgent()
                try await trial.pause(0.1...1)
            }
            try trial.proxy().cut()
        },
        Row("kill-start", "kill -9 of the agent during its start, six times") { trial in
            try await trial.pause(0.05...0.5)
            try await trial.killAgent()
            for _ in 0..<6 {
                try trial.lane.launch()
                try await trial.pause(0.002...0.25)
                try await trial.killAgent()
            }
            try await trial.startAgent()
        },
        Row("kill-drain", "kill -9 of the agent while it sends a backlog, three times") { trial in
            for _ in 0..<3 {
                try trial.proxy().set(.refused)
                try await trial.awaitAnswers(trial.settings.rate)
                try trial.proxy().set(.open)
                try await trial.pause(0...1.5)
                try await trial.killAgent()
                try await trial.startAgent()
            }
        },
        Row("clock-steps", "the wall clock stepped by up to a day, the lane's clock forward by seconds") { trial in
            // The clocks of a process that runs are moved by a library before the C library.
            try await trial.stopAgent()
            let clocks = try Clocks(folder: trial.folder)
            trial.lane.environment = clocks.environment
            try await trial.startAgent()
            var ahead = 0
            for _ in 0..<6 {
                try await trial.pause(0.1...0.8)
                ahead += trial.chance.number(0...3000)
                try clocks.set(boottime: ahead, wall: trial.chance.number(-86_400_000...86_400_000))
            }
            try await trial.pause(0.2)
            try await trial.killAgent()
            try clocks.set(boottime: ahead, wall: -3_600_000)
            try await trial.startAgent()
        },
    ]
}
