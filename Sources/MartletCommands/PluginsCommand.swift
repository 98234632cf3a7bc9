import ArgumentParser
import MartletApp

/// `martlet plugins`.
struct PluginsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plugins",
        abstract: "Lists the plugin types, or shows one with its parameters."
    )

    @Argument(help: "A plugin type; without it all are listed.")
    var type: String?

    @Flag(help: "Print everything about the types as Markdown, as in docs/plugins.md.")
    var markdown = false

    @Flag(help: "Print everything about the types as JSON.")
    var json = false

    func validate() throws {
        if markdown, json { throw ValidationError("--markdown and --json exclude each other: give one of them.") }
        _ = try reference()
    }

    func run() throws {
        let reference = try reference()
        if markdown {
            StandardStream.output.write(reference.markdown)
        } else if json {
            StandardStream.output.write(reference.json)
        } else {
            StandardStream.output.write(type == nil ? reference.list : reference.details)
        }
    }

    private func reference() throws -> PluginReference {
        do throws(CommandError) {
            return try PluginReference(type: type, in: PluginTypes.present)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
