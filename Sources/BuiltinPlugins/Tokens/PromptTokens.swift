import GatewayCore

/// A request's prompt as tokens, as far as it is known.
final class PromptTokens: Sendable {
    /// The key.
    static let key = DataKey<PromptTokens>("TokenizedPrompt", defaultProducer: "token-producer")
    /// The most tokens that all media of a request together count as, whatever they claim to be.
    static let mostMediaTokens = 1 << 22

    /// A picture, film or recording in the prompt.
    struct Feature: Hashable, Sendable {
        /// What it is.
        enum Modality: String, Hashable, Sendable {
            case image, video, audio
        }

        /// What it is.
        let modality: Modality
        /// A hash of its content or of its address; equal for equal media.
        let hash: UInt64
        /// The prompt's tokens that stand for it.
        let tokens: Range<Int>
        /// The prompt's bytes that are its content or its address, counted over all of the prompt's parts.
        let bytes: Range<Int>
    }

    /// The number of tokens; exact when the prompt came as token ids, else an estimate.
    let count: Int
    /// The media in the prompt, in order; neither their tokens nor their bytes overlap.
    let features: [Feature]

    /// Makes a record; `count` is 0 or more.
    init(count: Int, features: [Feature] = []) {
        self.count = count
        self.features = features
    }
}
