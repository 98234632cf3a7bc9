import ArgumentParser
import MartletApp

/// A command whose flags are those of a Go program, which the flag set of the application reads.
protocol FlagSetCommand: AsyncParsableCommand {
    /// The words behind the command.
    var flags: [String] { get }

    /// What `flags` ask for.
    static func request(_ flags: [String]) throws(CommandError) -> CommandRequest
}

extension FlagSetCommand {
    mutating func validate() throws {
        _ = try request()
    }

    mutating func run() async throws {
        switch try request() {
        case .help(let text): print(text)
        case .run(let run): try await run()
        }
    }

    private func request() throws -> CommandRequest {
        do throws(CommandError) {
            return try Self.request(flags)
        } catch {
            throw ValidationError(error.description)
        }
    }
}

/// `martlet epp`.
struct EppCommand: FlagSetCommand {
    static let configuration = CommandConfiguration(
        commandName: "epp",
        abstract: "An endpoint picker for proxies that speak ext_proc; takes the flags of llm-d's."
    )

    @Argument(parsing: .captureForPassthrough, help: "The flags; see martlet epp --help.")
    var flags: [String] = []

    static func request(_ flags: [String]) throws(CommandError) -> CommandRequest {
        try EppApplication.request(flags, plugins: PluginTypes.present)
    }
}

/// `martlet bbr`.
struct BbrCommand: FlagSetCommand {
    static let configuration = CommandConfiguration(
        commandName: "bbr",
        abstract: "A body-based router for proxies that speak ext_proc; takes the flags of GAIE's."
    )

    @Argument(parsing: .captureForPassthrough, help: "The flags; see martlet bbr --help.")
    var flags: [String] = []

    static func request(_ flags: [String]) throws(CommandError) -> CommandRequest {
        try BodyRouterApplication.request(flags)
    }
}
