import GatewayCore
import RequestFormats

/// The formats that plugins read: which of them a path belongs to.
struct BodyParserSet: Sendable {
    private struct Claim: Sendable {
        /// The bytes of the suffix from its end, without slashes around them.
        let reversedSuffix: [UInt8]
        let parser: any BodyParser
    }

    /// Longest suffix first, else in the order of the parsers.
    private let claims: [Claim]

    /// Takes what `parsers` claim; a suffix of slashes only claims nothing.
    init(_ parsers: [any BodyParser] = []) {
        let slash = UInt8(ascii: "/")
        let claims = parsers.flatMap { parser in
            parser.pathSuffixes.map { suffix in
                let inner = suffix.utf8.drop { $0 == slash }.reversed().drop { $0 == slash }
                return Claim(reversedSuffix: Array(inner), parser: parser)
            }
        }
        // Sorting is stable, so of equal suffixes the first one stays first.
        self.claims = claims.filter { !$0.reversedSuffix.isEmpty }
            .sorted { $0.reversedSuffix.count > $1.reversedSuffix.count }
    }

    /// The parser with the longest suffix that ends `path` at whole segments; slashes at the end do not count.
    func parser(forPath path: Substring) -> (any BodyParser)? {
        if claims.isEmpty { return nil }
        let slash = UInt8(ascii: "/")
        let tail = path.utf8.reversed().drop { $0 == slash }
        return claims.first { claim in
            tail.starts(with: claim.reversedSuffix)
                && tail.dropFirst(claim.reversedSuffix.count).first ?? slash == slash
        }?.parser
    }
}

extension BodyParser {
    /// What the parser says of `request`, checked.
    ///
    /// - Throws: ``Rejection`` of the parser; `invalidRequest` for a name that cannot be that of a model;
    ///   `internalError` for an answer that does not fit the body.
    func read(_ request: IncomingRequest) throws(Rejection) -> ParsedBody {
        let answer: Result<ParsedRequest, Rejection> = request.body.withBytes { bytes in
            do throws(Rejection) {
                return .success(try parse(bytes, headers: request.headers, path: request.path))
            } catch {
                return .failure(error)
            }
        }
        let parsed = try answer.get()
        if let fault = parsed.fault(inBodyOf: request.body.count) {
            throw Rejection(.internalError, "\(Self.descriptor.type) read the request wrongly: \(fault).")
        }
        try RequestIdentity.check(modelName: parsed.model ?? "")
        let ranges = parsed.promptRanges
        return ParsedBody(
            foreign: parsed.model,
            modelRange: parsed.modelRange,
            isStreaming: parsed.isStreaming,
            maxOutputTokens: parsed.maxOutputTokens,
            cacheSalt: parsed.cacheSalt,
            prompt: PromptRanges(
                ranges.first,
                ranges.count > 1 ? ranges[1] : nil,
                ranges.count > 2 ? ranges[2] : nil
            ),
            inputTokens: parsed.inputTokens
        )
    }
}
