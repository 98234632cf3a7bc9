import ArgumentParser
import MartletApp

/// `martlet top`.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract:
            "The endpoints of a running gateway in a table that is refreshed: queues, KV use, requests under way.",
        discussion: """
            Keys: q quits; n, w, r, k and f sort by name, waiting, running, KV use and requests under way; p shows the \
            next pool; / filters; arrows and page keys scroll. Where there is no terminal, one table is printed. With \
            $NO_COLOR set there are no colours.
            """
    )

    @Option(help: "The admin address of a running gateway, a URL.")
    var admin = TopOptions().admin

    @Option(
        help: "A bearer token for a gateway in a cluster that asks who reads it; without it $MARTLET_TOKEN.")
    var token: String?

    @Option(help: "How often the gateway is asked.")
    var interval = TopOptions().interval

    @Flag(help: "Print one table and end.")
    var once = false

    @Option(help: "The order: name, waiting, running, kv or flight.")
    var sort = TopOptions.Sort.name

    @Option(help: "The pool to show, NAME or NAMESPACE/NAME. (default: all of them)")
    var pool: String?

    func run() async throws {
        var options = TopOptions()
        options.admin = admin
        options.token = token
        options.interval = interval
        options.isOnce = once
        options.sort = sort
        options.pool = pool
        do throws(CommandError) {
            if let table = try await TopApplication.run(options) { print(table, terminator: "") }
        } catch {
            throw ValidationError(error.description)
        }
    }
}

extension TopOptions.Sort: ExpressibleByArgument {}
