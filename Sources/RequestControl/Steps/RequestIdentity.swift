import GatewayCore
import RequestFormats

/// What the second and third step of a request find out: its format, its model and the controls in its header.
struct RequestIdentity {
    let api: InferenceAPI
    let parsed: ParsedBody?
    let id: String
    let hasOwnID: Bool

    /// What metrics call the flows of agents. Each session of an agent is a flow, and each would be a label that nobody
    /// takes away.
    private static let agentLabel = "agent"

    /// The model of the body; empty when the request names none.
    var model: String { parsed?.model ?? "" }

    /// Reads the body, if its path belongs to an API or to a plugin's format, and the header. A plugin goes before the
    /// gateway's own APIs.
    ///
    /// - Throws: ``Rejection`` `invalidRequest` for a body that its API does not allow, or without a model; what a
    ///   plugin throws, and `internalError` when its answer cannot be used.
    init(
        _ request: IncomingRequest,
        parsers: RequestParserSet,
        bodyParsers: BodyParserSet = BodyParserSet(),
        limits: GatewayLimits,
        random: inout RandomSource
    ) throws(Rejection) {
        let parser = bodyParsers.parser(forPath: request.path)
        let found = parser == nil ? parsers.api(forPath: request.target) : .foreign
        // Only bodies of POST are read, so what has another method needs nobody who could read it.
        guard let api = request.method == "POST" ? found : .passthrough else {
            throw Rejection(.invalidRequest, "No parser is registered for the path \(request.path).", parameter: nil)
        }
        self.api = request.hasUnseenBody ? .passthrough : api
        switch self.api {
        case .foreign: parsed = try parser?.read(request)
        case .audio: parsed = Self.parseForm(request)
        default: parsed = try Self.parse(request.body, as: self.api, limits: limits)
        }
        let own = request.headers.first(HeaderNames.requestID) ?? ""
        hasOwnID = !own.isEmpty
        id = hasOwnID ? own : random.uuid()
    }

    /// Reads the form of an upload. A model that cannot become a header field is left for the model server to judge.
    private static func parseForm(_ request: IncomingRequest) -> ParsedBody {
        let contentType = request.headers.first("content-type") ?? ""
        let parsed = request.body.withBytes { ParsedBody(form: $0, contentType: contentType, as: .audio) }
        return FieldValueFault(parsed.model ?? "") == nil ? parsed : ParsedBody(api: .audio)
    }

    private static func parse(
        _ body: any BodyBytes,
        as api: InferenceAPI,
        limits: GatewayLimits
    ) throws(Rejection) -> ParsedBody? {
        guard api != .passthrough else { return nil }
        let result: Result<ParsedBody, FormatError> = body.withBytes { bytes in
            do throws(FormatError) {
                return .success(try ParsedBody(parsing: bytes, as: api, depthLimit: limits.maxJSONDepth))
            } catch {
                return .failure(error)
            }
        }
        switch result {
        case .success(let parsed):
            if parsed.model?.isEmpty ?? true, api.hasRewritableModel {
                throw Rejection(.invalidRequest, "model not found in request body", parameter: "model")
            }
            try check(modelName: parsed.model ?? "")
            return parsed
        case .failure(let error):
            throw Rejection(.invalidRequest, error.description, parameter: error.parameter)
        }
    }

    /// Refuses a name that must not become a header field.
    static func check(modelName name: String) throws(Rejection) {
        switch FieldValueFault(name) {
        case nil:
            break
        case .tooLong(let byteCount):
            throw Rejection(
                .invalidRequest,
                "The name of the model has \(byteCount) bytes; the limit is \(FieldValueFault.bytesMax).",
                parameter: "model"
            )
        case .controlCharacter(let byte):
            throw Rejection(
                .invalidRequest,
                "The name of the model has the control character \(byte), which no model's name has.",
                parameter: "model"
            )
        }
    }

    /// The request as the scheduler sees it.
    ///
    /// - Parameters:
    ///   - request: the request as it came in.
    ///   - target: the model that serves it.
    ///   - objectives: the priorities of the pool's objectives.
    ///   - agent: for whom the request is when it names no fairness id; `nil` when nobody knows.
    ///   - mutations: the changes of its route to the request's header.
    func inferenceRequest(
        _ request: IncomingRequest,
        changedBy mutations: [HeaderMutation],
        target: String,
        objectives: ObjectiveTable,
        agent: String?
    ) -> InferenceRequest {
        let objective = request.first(of: HeaderNames.objective, changedBy: mutations) ?? ""
        let ownFlow = request.first(of: HeaderNames.fairnessID, changedBy: mutations)
        return InferenceRequest(
            id: id,
            model: model,
            targetModel: target,
            objective: objective,
            priority: objectives.priority(of: objective, model: model),
            fairnessID: ownFlow ?? agent ?? "default-flow",
            fairnessLabel: ownFlow ?? (agent == nil ? nil : Self.agentLabel),
            isStreaming: parsed?.stream ?? false,
            headers: request.headers,
            body: request.body,
            promptRanges: parsed.map { Array($0.prompt) } ?? [],
            cacheSalt: parsed?.cacheSalt ?? "",
            inputTokens: parsed?.inputTokenEstimate ?? 0,
            maxOutputTokens: parsed?.maxOutputTokens,
            receivedAt: request.receivedAt
        )
    }
}

extension RandomSource {
    /// A version 4 UUID (RFC 9562, 5.4) in lower case. Unique, not secret.
    fileprivate mutating func uuid() -> String {
        let high = (next() & 0xFFFF_FFFF_FFFF_0FFF) | 0x4000
        let low = (next() & 0x3FFF_FFFF_FFFF_FFFF) | 0x8000_0000_0000_0000
        return String(unsafeUninitializedCapacity: 36) { text in
            var position = 0
            for index in 0..<32 {
                if index == 8 || index == 12 || index == 16 || index == 20 {
                    text[position] = UInt8(ascii: "-")
                    position += 1
                }
                let half = index < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: half >> UInt64(60 - 4 * (index % 16))) & 0xF
                text[position] = digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a")
                position += 1
            }
            return position
        }
    }
}
