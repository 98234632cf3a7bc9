import EngineClient
import FoundationEssentials
import GatewayCore
import NIOPosix
import RequestFormats
import UnixSignals

/// `martlet top`.
package enum TopApplication {
    /// Something that changes what is shown.
    private enum Event: Sendable {
        case bytes([UInt8])
        case answers(Result<Answers, CommandError>)
        case resized
        case end
    }

    /// What the gateway answered, and when.
    private struct Answers: Sendable {
        let state: OutboundResponse
        let metrics: OutboundResponse
        let at: ContinuousClock.Instant
    }

    /// The most events that wait to be shown; of more the oldest are left out.
    private static let eventsMax = 64

    /// Shows the endpoints of a running gateway until the user has seen enough; without a terminal, once.
    ///
    /// - Returns: the table, when it is shown once.
    /// - Throws: ``CommandError`` for what the user can mend: options that make no sense, a gateway that does not
    ///   answer at all, or not to everybody.
    package static func run(_ options: TopOptions) async throws(CommandError) -> String? {
        guard let interval = GoDuration.parse(options.interval), interval >= .milliseconds(100) else {
            throw CommandError("--interval '\(options.interval)' is not a duration of 100ms or more.")
        }
        let gateway = try Gateway(options)
        let first: Answers
        do {
            first = try await gateway.ask()
        } catch {
            await gateway.close()
            throw error
        }
        var view = TopView(sort: options.sort, pool: options.pool)
        try take(first, after: 0, &view)
        if options.isOnce || !Terminal.isPresent {
            await gateway.close()
            return plainTable(view, options)
        }
        guard let terminal = Terminal() else {
            await gateway.close()
            throw CommandError("The terminal cannot be used for a table that is refreshed; --once prints one.")
        }
        await show(view, first.at, gateway, terminal, interval, options)
        terminal.leave()
        await gateway.close()
        return nil
    }

    private static func plainTable(_ view: TopView, _ options: TopOptions) -> String {
        let width = Terminal.isPresent ? Terminal.size.columns : 160
        let screen = TopFrame.Screen(columns: width, rows: nil, hasColour: false)
        return TopFrame(view: view, screen: screen, admin: options.admin).lines.joined(separator: "\n") + "\n"
    }

    private static func take(
        _ answers: Answers,
        after seconds: Double,
        _ view: inout TopView
    ) throws(CommandError) {
        do {
            let sample = try answers.state.body.withBytes { state in
                try answers.metrics.body.withBytes { try TopSample(state: state, metrics: $0) }
            }
            view.take(sample, after: seconds)
        } catch {
            throw CommandError("The answer of /api/state cannot be read: \(error).")
        }
    }

    // MARK: The screen

    private static func show(
        _ start: TopView,
        _ startedAt: ContinuousClock.Instant,
        _ gateway: Gateway,
        _ terminal: Terminal,
        _ interval: Duration,
        _ options: TopOptions
    ) async {
        let (events, sink) = AsyncStream<Event>.makeStream(bufferingPolicy: .bufferingNewest(eventsMax))
        let hasColour = ProcessInfo.processInfo.environment["NO_COLOR"].map(\.isEmpty) ?? true
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await readKeys(sink) }
            group.addTask { await poll(gateway, interval, sink) }
            group.addTask { await watchSignals(sink) }
            var view = start
            var lastAt = startedAt
            func draw() {
                let size = Terminal.size
                let screen = TopFrame.Screen(columns: size.columns, rows: size.rows, hasColour: hasColour)
                view.hold(visibleRows: TopFrame.visibleRows(screen))
                terminal.show(TopFrame(view: view, screen: screen, admin: options.admin).lines)
            }
            draw()
            showing: for await event in events {
                switch event {
                case .bytes(let bytes):
                    let size = Terminal.size
                    let screen = TopFrame.Screen(columns: size.columns, rows: size.rows, hasColour: hasColour)
                    for key in TopView.Key.keys(bytes) {
                        view.press(key, visibleRows: TopFrame.visibleRows(screen))
                    }
                case .answers(.success(let answers)):
                    let seconds = lastAt.duration(to: answers.at) / .seconds(1)
                    lastAt = answers.at
                    do throws(CommandError) { try take(answers, after: seconds, &view) } catch {
                        view.fault = error.description
                    }
                case .answers(.failure(let error)): view.fault = error.description
                case .resized: break
                case .end: break showing
                }
                if view.isOver { break }
                draw()
            }
            group.cancelAll()
        }
    }

    private static func readKeys(_ sink: AsyncStream<Event>.Continuation) async {
        // Reading blocks for a moment each time, which no thread of the tasks may.
        let pool = NIOThreadPool(numberOfThreads: 1)
        pool.start()
        while !Task.isCancelled {
            guard let bytes = try? await pool.runIfActive({ Terminal.read() }) else {
                sink.yield(.end)
                break
            }
            if !bytes.isEmpty { sink.yield(.bytes(bytes)) }
        }
        try? await pool.shutdownGracefully()
    }

    private static func poll(_ gateway: Gateway, _ interval: Duration, _ sink: AsyncStream<Event>.Continuation) async {
        while true {
            do { try await Task.sleep(for: interval) } catch { return }
            do throws(CommandError) {
                sink.yield(.answers(.success(try await gateway.ask())))
            } catch {
                sink.yield(.answers(.failure(error)))
            }
        }
    }

    private static func watchSignals(_ sink: AsyncStream<Event>.Continuation) async {
        for await signal in await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup, .sigwinch) {
            sink.yield(signal == .sigwinch ? .resized : .end)
        }
    }

    // MARK: The gateway

    /// The admin address that is asked.
    private struct Gateway: Sendable {
        private let address: EndpointAddress
        private let shown: String
        private let fields: [HeaderMutation.Field]
        private let client: EngineHTTPClient

        init(_ options: TopOptions) throws(CommandError) {
            address = try EndpointArgument(options.admin, flag: "--admin").address
            shown = options.admin
            let token = options.token ?? ProcessInfo.processInfo.environment["MARTLET_TOKEN"]
            if let token = token?.trimmingWhitespace() {
                guard FieldValueFault(token) == nil else { throw CommandError("The token is too long or is no token.") }
                fields = [.init(name: "authorization", value: "Bearer \(token)")]
            } else {
                fields = []
            }
            do {
                client = try EngineHTTPClient(group: .singletonMultiThreadedEventLoopGroup)
            } catch {
                throw CommandError("TLS cannot be set up: \(error).")
            }
        }

        func ask() async throws(CommandError) -> Answers {
            let state = try await ask("/api/state")
            let metrics = try await ask("/metrics")
            return Answers(state: state, metrics: metrics, at: .now)
        }

        private func ask(_ path: String) async throws(CommandError) -> OutboundResponse {
            let request = OutboundRequest(
                address: address,
                path: path,
                timeout: .seconds(10),
                maxResponseBytes: 256 << 20,
                headers: fields
            )
            let response: OutboundResponse
            do {
                response = try await client.get(request)
            } catch {
                throw CommandError("The gateway at --admin \(shown) does not answer: \(error).")
            }
            if response.status == 401 {
                throw CommandError(asksWhoReads: response)
            }
            guard response.status == 200 else {
                throw CommandError("The gateway answers \(path) with status \(response.status).")
            }
            return response
        }

        func close() async {
            await client.shutdown()
        }
    }
}
