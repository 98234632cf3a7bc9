import Foundation
import Testing

@testable import MartletApp

/// The logs of a process, in a file.
struct LogFile {
    let folder: TemporaryFolder
    let logs: ProcessLogs

    init(_ options: LogOptions = LogOptions(), format: LogOptions.Format = .json) throws {
        var options = options
        options.format = format
        folder = try TemporaryFolder()
        logs = try ProcessLogs(
            options,
            to: try LineDestination(path: "\(folder.path)/log", flag: "--log"),
            isTerminal: false,
            environment: [:]
        )
    }

    /// What was logged so far.
    func text() async throws -> String {
        try await logs.whileOpen {}
        return try String(contentsOfFile: "\(folder.path)/log", encoding: .utf8)
    }

    /// The lines so far, each of which must be an object.
    func objects() async throws -> [[String: Any]] {
        try await text().split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
    }
}
