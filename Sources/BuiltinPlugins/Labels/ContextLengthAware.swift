import GatewayCore

/// Sends requests to the endpoints that are meant for prompts of their length, which a label tells as `min-max` tokens.
///
/// With n prompt tokens, as the token producer estimates them where the pipeline has one, and a range of width
/// w = max - min:
///
/// | endpoint | score |
/// |---|---|
/// | without the label | 0.5 |
/// | with a label that is no range | 0 |
/// | n in the range | 1 when w = 0, else 0.3 + 0.7 * (0.7 / (1 + w / 10,000) + 0.3 * (max - n) / w) |
/// | n outside, d tokens from its nearer end | 0.3 / (1 + d / 1,000) |
///
/// So narrow ranges come first, and any that fits before any that does not.
struct ContextLengthAware: Filter, Scorer {
    static let descriptor = PluginDescriptor(
        type: "context-length-aware",
        summary: "Prefers endpoints whose label says that they are meant for prompts of the request's length."
    )

    private let label: String
    private let isFiltering: Bool
    private let tokens: DataReader<PromptTokens>

    /// Reads `label` (default `llm-d.ai/context-length-range`) and `enableFiltering` (default false): whether endpoints
    /// with another range are removed, not only scored lower.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        label = parameters.string("label", default: "llm-d.ai/context-length-range")
        if label.isEmpty { parameters.report("must not be empty", at: "label") }
        isFiltering = parameters.bool("enableFiltering", default: false)
        tokens = context.consume(PromptTokens.key, requirement: .ifProduced)
    }

    func filter(_ candidates: inout Candidates, context: inout SchedulingContext) {
        guard isFiltering else { return }
        let tokens = promptTokens(context)
        candidates.keep { endpoint in
            guard let text = endpoint.labels[label] else { return true }
            return TokenRange(text)?.bounds.contains(tokens) ?? false
        }
    }

    func rule(in context: SchedulingContext) -> String {
        "\(context.request.inputTokens) prompt tokens in the range of \(label), or no \(label)"
    }

    func score(_ candidates: Candidates, context: SchedulingContext, into scores: inout MutableSpan<Double>) {
        let tokens = promptTokens(context)
        for index in scores.indices {
            guard let text = candidates[index].labels[label] else {
                scores[index] = 0.5
                continue
            }
            scores[index] = TokenRange(text)?.score(tokens) ?? 0
        }
    }

    private func promptTokens(_ context: SchedulingContext) -> Int {
        context.scratch[tokens]?.count ?? context.request.inputTokens
    }
}

/// The prompt lengths that an endpoint is meant for.
private struct TokenRange {
    let bounds: ClosedRange<Int>

    /// Reads `min-max`: two whole numbers from 0, in order; `nil` for anything else. It reads the bytes where they are:
    /// a scorer asks for each endpoint of each request.
    init?(_ text: String) {
        guard let dash = text.utf8.firstIndex(of: UInt8(ascii: "-")),
            let first = Self.number(text.utf8[..<dash]),
            let last = Self.number(text.utf8[text.utf8.index(after: dash)...]),
            first <= last
        else { return nil }
        bounds = first...last
    }

    private static func number(_ text: Substring.UTF8View) -> Int? {
        let space = UInt8(ascii: " ")
        var digits = text.drop { $0 == space }
        while digits.last == space { digits.removeLast() }
        guard !digits.isEmpty else { return nil }
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, isOver) = number.multipliedReportingOverflow(by: 10)
            let (sum, isOverToo) = tens.addingReportingOverflow(Int(digit - UInt8(ascii: "0")))
            if isOver || isOverToo { return nil }
            number = sum
        }
        return number
    }

    /// See ``ContextLengthAware``.
    func score(_ tokens: Int) -> Double {
        let (low, high, count) = (Double(bounds.lowerBound), Double(bounds.upperBound), Double(tokens))
        guard bounds.contains(tokens) else {
            let distance = max(low - count, count - high)
            return 0.3 / (1 + distance / 1000)
        }
        let width = high - low
        guard width > 0 else { return 1 }
        return 0.3 + 0.7 * (0.7 / (1 + width / 10_000) + 0.3 * (high - count) / width)
    }
}
