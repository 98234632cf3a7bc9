import GatewayCore
import RequestFormats

/// What is asked: the contents of all requests of a run. The same workload gives the same bytes for the same number of
/// a conversation, whichever target gets it and whenever.
package struct Workload: Sendable {
    /// The API that is called.
    package enum API: String, Hashable, Sendable, CaseIterable {
        /// `/v1/chat/completions`.
        case chat
        /// `/v1/completions`.
        case completions

        /// The path that is called when the target names none.
        package var path: String { self == .chat ? "/v1/chat/completions" : "/v1/completions" }
    }

    /// The API that is called.
    package var api = API.chat
    /// The models, of which each conversation has one. LoRA adapters are named like models.
    package var models = WeightedNames()
    /// The tokens of what a user says in a turn, without the shared prefix.
    package var promptTokens = TokenDistribution.constant(512)
    /// The tokens that each answer may have.
    package var outputTokens = TokenDistribution.constant(128)
    /// How many shared prefixes there are; 0 for none.
    package var prefixGroups = 0
    /// The tokens of a shared prefix.
    package var prefixTokens = 0
    /// How many times a conversation's user speaks; each time the whole conversation is sent.
    package var turns = 1
    /// Whether answers are streamed.
    package var streams = true
    /// Whether `ignore_eos` asks the engine to use up the answer's tokens.
    package var ignoresEndOfText = true
    /// Members for the body of each request, as JSON with a comma in front of each.
    package var extraMembers: [UInt8] = []
    /// Fields of each request; `{session}` and `{request}` in a value become the numbers of both.
    package var headers: [(name: String, value: String)] = []
    /// Objectives, of which each conversation has one.
    package var objectives = WeightedNames()
    /// Fairness ids, of which each conversation has one.
    package var fairnessIDs = WeightedNames()
    /// Requests that were recorded, which take the place of made ones.
    package var trace: Trace?
    /// What all random choices come from.
    package var seed: UInt64 = 0
    /// Which words prompts are made of, without a change of their lengths: what is asked of two targets with the same
    /// engines behind them must not find the prompts of the other in a cache. Shared prefixes stay the same.
    package var variant: UInt64 = 0

    /// The defaults, without a model.
    package init() {}

    /// The conversation number `index`, from 0 on, before its first request.
    ///
    /// - Parameter line: the line of the trace that it has, from 0 on; `nil` for the next one each time.
    func conversation(_ index: Int, line: Int? = nil) -> Conversation {
        var random = RandomSource.stream(seed: seed, index, 0xC0)
        let entry = trace.map { $0.entries[(line ?? index) % $0.entries.count] }
        return Conversation(
            index: index,
            model: models.draw(&random) ?? "",
            objective: objectives.draw(&random),
            fairnessID: fairnessIDs.draw(&random),
            prefixGroup: prefixGroups > 0 ? Int.random(in: 0..<prefixGroups, using: &random) : nil,
            entry: entry,
            random: random,
            words: .stream(seed: seed &+ variant &* 0xA076_1D64_78BD_642F, index, 0xD0)
        )
    }
}

/// One user's talk with a model: its requests in order.
struct Conversation {
    /// Its number.
    let index: Int
    private let model: String
    private let objective: String?
    private let fairnessID: String?
    private let prefixGroup: Int?
    private let entry: Trace.Entry?
    /// Where lengths come from.
    private var random: RandomSource
    /// Where words come from.
    private var words: RandomSource
    /// The number of the next turn.
    private(set) var turn = 0
    /// What was said, as JSON: messages with commas between them, or the text of a prompt with its escapes.
    private var history: [UInt8] = []

    init(
        index: Int,
        model: String,
        objective: String?,
        fairnessID: String?,
        prefixGroup: Int?,
        entry: Trace.Entry?,
        random: RandomSource,
        words: RandomSource
    ) {
        self.index = index
        self.model = model
        self.objective = objective
        self.fairnessID = fairnessID
        self.prefixGroup = prefixGroup
        self.entry = entry
        self.random = random
        self.words = words
    }

    /// A request as it is sent.
    struct Request {
        let body: [UInt8]
        let fields: [(name: String, value: String)]
        let outputTokens: Int
    }

    /// The next request.
    mutating func next(_ workload: Workload) -> Request {
        let outputTokens = entry?.outputTokens ?? workload.outputTokens.next(&random)
        speak(workload)
        defer { turn += 1 }
        return Request(
            body: body(workload, outputTokens: outputTokens),
            fields: fields(workload),
            outputTokens: outputTokens
        )
    }

    /// Notes the answer, for the turns that follow.
    ///
    /// - Parameter content: what stood between the quotes of the answer's JSON strings, escapes and all.
    mutating func answered(_ content: [UInt8], _ workload: Workload) {
        switch workload.api {
        case .chat:
            history += #",{"role":"assistant","content":""#.utf8
            history += content
            history += #""}"#.utf8
        case .completions:
            history += content
        }
    }

    /// Adds what the user says.
    private mutating func speak(_ workload: Workload) {
        if let messages = entry?.messages, workload.api == .chat {
            history += messages
            return
        }
        if turn == 0, let prefixGroup {
            var prefix = RandomSource.stream(seed: workload.seed, prefixGroup, 0xF1)
            begin("system", workload.api)
            PromptWords.append(workload.prefixTokens, &prefix, to: &history)
            end(workload.api)
        }
        if !history.isEmpty { history.append(UInt8(ascii: workload.api == .chat ? "," : " ")) }
        begin("user", workload.api)
        if let entry {
            entry.appendPrompt(seed: workload.seed &+ workload.variant, &words, to: &history)
        } else {
            PromptWords.append(workload.promptTokens.next(&random), &words, to: &history)
        }
        end(workload.api)
    }

    private mutating func begin(_ role: String, _ api: Workload.API) {
        if api == .chat { history += #"{"role":"\#(role)","content":""#.utf8 }
    }

    private mutating func end(_ api: Workload.API) {
        if api == .chat { history += #""}"#.utf8 }
    }

    private func body(_ workload: Workload, outputTokens: Int) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("model")
        // A model that was asked for counts more than the one that was recorded.
        writer.string(workload.models.isEmpty ? entry?.model ?? "" : model)
        switch workload.api {
        case .chat:
            writer.key("messages")
            writer.raw([UInt8(ascii: "[")] + history + [UInt8(ascii: "]")])
        case .completions:
            writer.key("prompt")
            writer.raw([UInt8(ascii: "\"")] + history + [UInt8(ascii: "\"")])
        }
        writer.key("max_tokens")
        writer.integer(outputTokens)
        if workload.ignoresEndOfText {
            writer.key("ignore_eos")
            writer.boolean(true)
        }
        if workload.streams {
            writer.key("stream")
            writer.boolean(true)
            writer.key("stream_options")
            writer.raw(#"{"include_usage":true}"#.utf8)
        }
        return writer.bytes + workload.extraMembers + [UInt8(ascii: "}")]
    }

    private func fields(_ workload: Workload) -> [(name: String, value: String)] {
        var fields: [(name: String, value: String)] = []
        if let objective { fields.append((String(describing: HeaderNames.objective[0]), objective)) }
        if let fairnessID { fields.append((String(describing: HeaderNames.fairnessID[0]), fairnessID)) }
        for field in workload.headers {
            let value = field.value.replacing("{session}", with: "\(index)")
                .replacing("{request}", with: "\(index)-\(turn)")
            fields.append((field.name, value))
        }
        return fields
    }
}

extension String {
    /// Every `part` replaced by `replacement`.
    fileprivate func replacing(_ part: String, with replacement: String) -> String {
        var result = ""
        var rest = Substring(self)
        while !rest.isEmpty {
            if rest.hasPrefix(part) {
                result += replacement
                rest = rest.dropFirst(part.count)
            } else {
                result.append(rest.removeFirst())
            }
        }
        return result
    }
}
