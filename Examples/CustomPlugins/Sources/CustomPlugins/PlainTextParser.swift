import GatewayCore

/// Reads `POST /plain/completions`: the first line is the model, all behind it is the prompt.
struct PlainTextParser: BodyParser {
    static let descriptor = PluginDescriptor(
        type: "plain-text-parser",
        summary: "Reads requests whose first line is the model and whose rest is the prompt."
    )

    let pathSuffixes = ["plain/completions"]

    init(parameters: ParameterDecoder, context: inout PluginContext) {}

    func parse(_ body: RawSpan, headers: HeaderMap, path: Substring) throws(Rejection) -> ParsedRequest {
        let lineEnd = body.withUnsafeBytes { $0.firstIndex(of: UInt8(ascii: "\n")) } ?? body.byteCount
        guard lineEnd > 0 else {
            throw Rejection(.invalidRequest, "The first line names no model.", parameter: "model")
        }
        let model = body.extracting(0..<lineEnd).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        return ParsedRequest(model: model, promptRanges: [min(lineEnd + 1, body.byteCount)..<body.byteCount])
    }
}
