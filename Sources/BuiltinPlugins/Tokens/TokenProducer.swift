import GatewayCore
import PrefixIndex
import RequestFormats

/// Estimates a prompt's tokens and finds the media in it, without a tokenizer and without a copy of the prompt.
///
/// A token is four bytes of the prompt in the body. A picture, film or recording does not count by its bytes but by
/// what an engine makes of it; see ``ImageEstimate`` and ``VideoEstimate``; a recording is a token for four characters
/// of its content or address, rounded up. The hash of each is the XXH64 of that text. A request without a prompt that
/// can be read has no data.
struct TokenProducer: DataProducer {
    static let descriptor = PluginDescriptor(
        type: "token-producer",
        summary: "Estimates the tokens of a prompt and of the media in it."
    )

    /// The most media of a request that are looked at; what comes behind them counts by its bytes.
    private static let mostFeatures = 1024
    private static let bytesPerToken = 4

    private let tokens: DataWriter<PromptTokens>
    private let image: ImageEstimate
    private let video: VideoEstimate

    /// Reads `estimate` with `image` and `video`. The other tokenizers of the format, `vllm` (with `modelName`) and
    /// `udsTokenizerConfig`, have no effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        tokens = context.produce(PromptTokens.key)
        parameters.acceptWithoutEffect(
            "vllm", "modelName", "udsTokenizerConfig",
            because: "tokens are estimated; exact ones are only needed by the precise prefix cache, which this release "
                + "does not have"
        )
        let estimate = parameters.object("estimate")
        image = ImageEstimate(estimate?.object("image"))
        video = VideoEstimate(estimate?.object("video"))
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        // A retry is scheduled again: the prompt is the same.
        guard !context.request.promptRanges.isEmpty, context.scratch[tokens] == nil else { return }
        context.scratch[tokens] = estimate(context.request)
    }

    private func estimate(_ request: InferenceRequest) -> PromptTokens {
        // Messages are the last part of a prompt that has them.
        guard let messages = request.promptRanges.last else { return PromptTokens(count: request.inputTokens) }
        return request.body.withBytes { bytes in
            let blocks = MediaBlock.blocks(in: bytes, messages: messages, limit: Self.mostFeatures)
            guard !blocks.isEmpty else { return PromptTokens(count: request.inputTokens) }
            let claims = VideoClaims(request.headers)
            var features: [PromptTokens.Feature] = []
            features.reserveCapacity(blocks.count)
            let leadingBytes = request.promptRanges.dropLast().reduce(0) { $0 + $1.count }
            var textBytes = leadingBytes
            var textStart = messages.lowerBound
            var mediaTokens = 0
            for block in blocks {
                let content = block.content.contentRange
                textBytes += content.lowerBound - textStart
                textStart = content.upperBound
                let (hash, tokens) = block.withContent(in: bytes) { text in
                    (XXH64.hash(text), self.tokens(of: block.kind, text, claims))
                }
                let count = min(tokens, PromptTokens.mostMediaTokens - mediaTokens)
                let start = Self.tokens(ofBytes: textBytes) + mediaTokens
                let position = leadingBytes + content.lowerBound - messages.lowerBound
                features.append(
                    .init(
                        modality: .init(block.kind),
                        hash: hash,
                        tokens: start..<start + count,
                        bytes: position..<position + content.count
                    )
                )
                mediaTokens += count
            }
            textBytes += messages.upperBound - textStart
            return PromptTokens(count: Self.tokens(ofBytes: textBytes) + mediaTokens, features: features)
        }
    }

    private func tokens(of kind: MediaBlock.Kind, _ content: RawSpan, _ claims: VideoClaims) -> Int {
        switch kind {
        case .image: image.tokens(ImageHeader.size(of: content))
        case .video: video.tokens(claims)
        case .audio: max(1, Self.tokens(ofBytes: content.byteCount))
        }
    }

    private static func tokens(ofBytes bytes: Int) -> Int {
        (bytes + bytesPerToken - 1) / bytesPerToken
    }
}

extension PromptTokens.Feature.Modality {
    fileprivate init(_ kind: MediaBlock.Kind) {
        self =
            switch kind {
            case .image: .image
            case .video: .video
            case .audio: .audio
            }
    }
}
