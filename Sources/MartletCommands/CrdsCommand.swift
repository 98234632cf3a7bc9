import ArgumentParser
import MartletApp

/// `martlet crds`.
struct CrdsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crds",
        abstract: "Prints the CustomResourceDefinitions of what an endpoint picker reads, for kubectl apply.",
        discussion: """
            A NAME is that of a definition, a kind, a plural, a short name, or an API group; a kind that two groups \
            have is printed for both. Without names, everything that no later API took the place of is printed.

            martlet crds | kubectl apply --server-side --filename -
            """
    )

    @Argument(help: "What to print; without it, what is not superseded.")
    var name: [String] = []

    @Flag(help: "List the definitions, superseded ones too, instead of printing them.")
    var list = false

    func validate() throws {
        _ = try selected()
    }

    func run() throws {
        let resources = try selected()
        StandardStream.output.write(list ? CustomResource.list(of: resources) : CustomResource.stream(of: resources))
    }

    private func selected() throws -> [CustomResource] {
        if list, name.isEmpty { return CustomResource.all }
        do throws(CommandError) {
            return try CustomResource.selected(by: name)
        } catch {
            throw ValidationError(error.description)
        }
    }
}
