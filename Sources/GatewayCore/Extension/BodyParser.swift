/// Reads a format of requests that the gateway does not know by itself.
///
/// It takes part where `requestHandler.parsers` of the first pool lists it, wherever it stands in that list, and is
/// asked before the gateway's own formats. Only bodies of `POST` requests are read. Responses are relayed as they are:
/// no token usage is read of them, and no model's name is restored in them.
public protocol BodyParser: RequestParser {
    /// The ends of the paths that the parser reads, whole segments without slashes around them, such as
    /// `plain/completions`. The longest one that fits counts; of equal ones that of the parser listed first. Asked
    /// once.
    var pathSuffixes: [String] { get }

    /// Reads a request. Called from any thread, on the path of every request that it reads: it must not block, and
    /// whatever stands in the body must not trap.
    ///
    /// - Parameters:
    ///   - body: the whole body; may be empty.
    ///   - headers: the request's header.
    ///   - path: the path without its query.
    /// - Throws: ``Rejection``, usually `invalidRequest`, for a body that is not what the format requires.
    func parse(_ body: RawSpan, headers: HeaderMap, path: Substring) throws(Rejection) -> ParsedRequest
}

/// What a ``BodyParser`` reads of a request. Ranges are offsets into its body.
///
/// The gateway checks it, and answers a request with an internal error when something is wrong with it.
public struct ParsedRequest: Hashable, Sendable {
    /// The most elements of ``promptRanges``.
    public static let promptRangesMax = 3

    /// The model that the request asks for; `nil` when it names none.
    public var model: String?
    /// The bytes of the model's name with the quotes around it, where another name may take their place, written as a
    /// JSON string; `nil` when the body is sent as it is, whatever serves.
    public var modelRange: Range<Int>?
    /// Whether the client asks for a stream of events.
    public var isStreaming: Bool
    /// Where the prompt stands: at most ``promptRangesMax`` ranges, ascending, which do not overlap. Requests with a
    /// common beginning should have a common beginning of these bytes.
    public var promptRanges: [Range<Int>]
    /// The tokens of the prompt, 0 or more; `nil` for an estimate of four bytes each.
    public var inputTokens: Int?
    /// The most tokens that the response may have, 0 or more; `nil` without a bound.
    public var maxOutputTokens: Int?
    /// What keeps the prompts of one client from being found in the cache by others; `nil` for nothing.
    public var cacheSalt: String?

    /// Makes the answer of a parser; see the properties.
    public init(
        model: String? = nil,
        modelRange: Range<Int>? = nil,
        isStreaming: Bool = false,
        promptRanges: [Range<Int>] = [],
        inputTokens: Int? = nil,
        maxOutputTokens: Int? = nil,
        cacheSalt: String? = nil
    ) {
        self.model = model
        self.modelRange = modelRange
        self.isStreaming = isStreaming
        self.promptRanges = promptRanges
        self.inputTokens = inputTokens
        self.maxOutputTokens = maxOutputTokens
        self.cacheSalt = cacheSalt
    }

    /// What is wrong with it as the answer about a body of `byteCount` bytes, without a full stop; `nil` when it can be
    /// used.
    public func fault(inBodyOf byteCount: Int) -> String? {
        if promptRanges.count > Self.promptRangesMax {
            return "\(promptRanges.count) prompt ranges are more than \(Self.promptRangesMax)"
        }
        var end = 0
        for range in promptRanges {
            if range.lowerBound < end { return "the prompt range \(range) does not begin at \(end) or behind it" }
            end = range.upperBound
        }
        if end > byteCount { return "the prompt ends at \(end) of \(byteCount) bytes" }
        if let modelRange {
            if modelRange.lowerBound < 0 || modelRange.upperBound > byteCount {
                return "the model's range \(modelRange) is not in a body of \(byteCount) bytes"
            }
            if model == nil { return "there is a range of the model and no model" }
        }
        if let inputTokens, inputTokens < 0 { return "\(inputTokens) input tokens are negative" }
        if let maxOutputTokens, maxOutputTokens < 0 { return "\(maxOutputTokens) output tokens are negative" }
        return nil
    }
}
