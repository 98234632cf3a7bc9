import ArgumentParser
import MartletApp

/// `martlet explain`.
struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Why did a request go where it went, or where would it go: every filter, score and pick.",
        discussion: """
            Without a request, the decisions that a running gateway keeps are listed; with the ID of one, its decision \
            is shown. With --request, a running gateway decides about that request without sending it; with --state \
            too, the decision is made here, from a saved answer of the gateway's /api/state.
            """
    )

    @Argument(help: "The x-request-id of the request to explain.")
    var id: String?

    @Option(help: "The admin address of a running gateway, a URL.")
    var admin = "http://127.0.0.1:9090"

    @Option(
        help: "A bearer token for a gateway in a cluster that asks who reads it; without it $MARTLET_TOKEN.")
    var token: String?

    @Option(help: "A file with the body of a request, to decide about.")
    var request: String?

    @Option(help: "A saved answer of /api/state, to decide with; then no gateway is asked.")
    var state: String?

    @Option(help: "With --state, an EndpointPickerConfig in place of the one in the state.")
    var config: String?

    @Option(help: "With --state, the pool that is asked, when there are several; in a list, the pool to list.")
    var pool: String?

    @Option(help: "The path of the request.")
    var path = "/v1/chat/completions"

    @Option(name: .customLong("header"), help: "A header field of the request, NAME:VALUE; repeatable.")
    var headers: [String] = []

    @Option(help: "In a list, the model to list.")
    var model: String?

    @Option(help: "In a list, the endpoint to list.")
    var endpoint: String?

    @Option(help: "How many decisions to list.")
    var last = 20

    @Option(help: "table or json.")
    var output = ExplainOptions.Output.table

    @Flag(help: "Allow plugins whose behaviour may still change.")
    var allowExperimentalPlugins = false

    func run() async throws {
        var options = ExplainOptions()
        options.id = id
        options.admin = admin
        options.token = token
        options.requestPath = request
        options.statePath = state
        options.configurationPath = config
        options.pool = pool
        options.target = path
        options.headers = headers
        options.model = model
        options.endpoint = endpoint
        options.last = last
        options.output = output
        options.plugins = PluginTypes.present
        options.allowsExperimentalPlugins = allowExperimentalPlugins
        do throws(CommandError) {
            print(try await ExplainApplication.run(options), terminator: "")
        } catch {
            throw ValidationError(error.description)
        }
    }
}

extension ExplainOptions.Output: ExpressibleByArgument {}
