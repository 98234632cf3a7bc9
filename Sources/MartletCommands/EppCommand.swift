import ArgumentParser
import MartletApp

/// `martlet epp`. Its flags are those of a Go program, which the flag set of the application reads.
struct EppCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "epp",
        abstract: "An endpoint picker for proxies that speak ext_proc; takes the flags of llm-d's."
    )

    @Argument(parsing: .captureForPassthrough, help: "The flags; see martlet epp --help.")
    var flags: [String] = []

    func validate() throws {
        _ = try request()
    }

    func run() async throws {
        try await request().perform()
    }

    private func request() throws -> CommandRequest {
        do throws(CommandError) {
            return try EppApplication.request(flags, plugins: PluginTypes.present)
        } catch {
            throw ValidationError(error.description)
        }
    }
}

/// `martlet bbr`. Its flags are those of a Go program, which the flag set of the application reads.
struct BbrCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bbr",
        abstract: "A body-based router for proxies that speak ext_proc; takes the flags of GAIE's."
    )

    @Argument(parsing: .captureForPassthrough, help: "The flags; see martlet bbr --help.")
    var flags: [String] = []

    func validate() throws {
        _ = try request()
    }

    func run() async throws {
        try await request().perform()
    }

    private func request() throws -> CommandRequest {
        do throws(CommandError) {
            return try BodyRouterApplication.request(flags)
        } catch {
            throw ValidationError(error.description)
        }
    }
}

extension CommandRequest {
    /// Does what was asked for.
    func perform() async throws {
        switch self {
        case .help(let text): print(text)
        case .run(let run): try await run()
        }
    }
}
