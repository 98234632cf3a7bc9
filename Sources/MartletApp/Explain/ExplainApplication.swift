import EngineClient
import FoundationEssentials
import GatewayCore
import NIOPosix

/// `martlet explain`.
package enum ExplainApplication {
    /// The answer, ending in a line break.
    ///
    /// - Throws: ``CommandError`` for what the user can mend: options that do not go together, files that cannot be
    ///   used, a gateway that does not answer or does not know.
    package static func run(_ options: ExplainOptions) async throws(CommandError) -> String {
        if let statePath = options.statePath {
            guard let requestPath = options.requestPath else {
                throw CommandError("--state says how things are; give --request FILE to say what to decide about.")
            }
            return try SavedState(path: statePath, options).explain(
                body: try contents(of: requestPath, flag: "--request"),
                options
            )
        }
        if options.configurationPath != nil {
            throw CommandError("--config goes with --state: a running gateway decides by its own configuration.")
        }
        var question = try question(options)
        if let token = (options.token ?? ProcessInfo.processInfo.environment["MARTLET_TOKEN"])?.trimmingWhitespace() {
            guard FieldValueFault(token) == nil else { throw CommandError("The token is too long or is no token.") }
            question.headers.append(.init(name: "authorization", value: "Bearer \(token)"))
        }
        return try await ask(question, admin: options.admin)
    }

    /// What a running gateway is asked.
    private struct Question {
        var path: String
        var headers: [HeaderMutation.Field] = []
        var body: [UInt8]?
    }

    private static func question(_ options: ExplainOptions) throws(CommandError) -> Question {
        let format = options.output == .table ? "text" : "json"
        if let requestPath = options.requestPath {
            return Question(
                path: "\(DecisionRoutes.explainPath)?format=\(format)&path=\(escaped(options.target))",
                headers: try options.headerFields(),
                body: try contents(of: requestPath, flag: "--request")
            )
        }
        if let id = options.id { return Question(path: "\(DecisionRoutes.listPath)/\(escaped(id))?format=\(format)") }
        var path = "\(DecisionRoutes.listPath)?format=\(format)&limit=\(options.last)"
        for (name, value) in [("pool", options.pool), ("model", options.model), ("endpoint", options.endpoint)] {
            if let value { path += "&\(name)=\(escaped(value))" }
        }
        return Question(path: path)
    }

    private static func ask(_ question: Question, admin: String) async throws(CommandError) -> String {
        let address = try EndpointArgument(admin, flag: "--admin").address
        let response: OutboundResponse
        do {
            let client = try EngineHTTPClient(
                group: .singletonMultiThreadedEventLoopGroup,
                configuration: EngineHTTPClientConfiguration()
            )
            let request = OutboundRequest(
                address: address,
                path: question.path,
                timeout: .seconds(30),
                maxResponseBytes: 256 << 20,
                headers: question.headers,
                body: question.body
            )
            let result: Result<OutboundResponse, any Error>
            do { result = .success(try await client.get(request)) } catch { result = .failure(error) }
            await client.shutdown()
            response = try result.get()
        } catch {
            throw CommandError("The gateway at --admin \(admin) does not answer: \(error).")
        }
        if response.status == 401 { throw CommandError(asksWhoReads: response) }
        let text = response.text
        guard response.status == 200 else { throw CommandError("The gateway says: \(text.trimmingWhitespace()).") }
        return text.hasSuffix("\n") ? text : text + "\n"
    }

    /// The bytes of a file.
    ///
    /// - Throws: ``CommandError`` with the flag that named it.
    static func contents(of path: String, flag: String) throws(CommandError) -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(filePath: path)))
        } catch {
            throw CommandError("\(flag) '\(path)' cannot be read: \(error).")
        }
    }

    /// `text` as a part of a path or query.
    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for byte in text.utf8 {
            let isPlain =
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || "-._~/".utf8.contains(byte)
            if isPlain {
                escaped.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                escaped += byte < 16 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return escaped
    }
}
