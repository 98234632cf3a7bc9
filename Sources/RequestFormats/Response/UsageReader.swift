/// Reads the token counts out of a response while its chunks pass by, in bounded memory and without changing a byte.
///
/// **Event streams.** Every data line is searched for the usage key, eight bytes at a time; only a line that has it
/// is looked into. Counts of several events are merged, later ones first (see ``ResponseUsage/merge(_:)``). That
/// covers the last chunk of OpenAI-shaped streams, running totals, `response.completed`, and Anthropic's
/// `message_start` and `message_delta`. SGLang's own format repeats its counts in every event; the event with a
/// finish reason is taken.
///
/// **Other bodies.** The last ``ServerSentEvents/heldBytesMax`` bytes are kept and searched at the end. Engines write
/// usage behind the generated text, so it stands there; a response with more than that behind its usage object is
/// reported as having none, and of several usage objects the last counts, at whatever depth it stands.
///
/// **gRPC.** Messages are read whatever the content type says; of Vertex AI's, the end of the data in them is searched
/// as that of any other body (see ``GRPCUsageReader``).
package struct UsageReader: Sendable {
    /// The counts so far; `nil` when none have come.
    package private(set) var usage: ResponseUsage?
    /// The number of events so far, less the final `[DONE]`; zero for other bodies.
    package var eventCount: Int { events.count }
    /// Whether the stream's final `[DONE]` has come.
    package var isDone: Bool { events.isDone }

    private let api: InferenceAPI
    private let isEventStream: Bool
    private var events = ServerSentEvents()
    private var tail = ByteTail(capacity: ServerSentEvents.heldBytesMax)
    private var messages: GRPCUsageReader?

    /// Makes a reader for one response.
    /// - Parameters:
    ///   - api: the format of the request.
    ///   - isEventStream: whether the response's content type is `text/event-stream`.
    package init(api: InferenceAPI, isEventStream: Bool) {
        self.api = api
        self.isEventStream = isEventStream
        messages = GRPCUsageReader.Message(api).map(GRPCUsageReader.init)
    }

    /// Reads the next bytes of the body.
    package mutating func consume(_ chunk: RawSpan) {
        if messages != nil {
            messages?.consume(chunk)
            usage = messages?.usage
            return
        }
        guard isEventStream else {
            if api.reportsUsage { tail.append(chunk) }
            return
        }
        let search = Search(api: api, isEventStream: true)
        var usage = usage
        events.consume(chunk) { search.merge($0, into: &usage) }
        self.usage = usage
    }

    /// Ends the body: a last event without a line end is read, and the end of any other body is searched.
    package mutating func finish() {
        if messages != nil {
            messages?.finish()
            usage = messages?.usage
            return
        }
        let search = Search(api: api, isEventStream: isEventStream)
        var usage = usage
        if isEventStream {
            events.finish { search.merge($0, into: &usage) }
        } else {
            tail.withBytes { search.merge($0, into: &usage) }
        }
        self.usage = usage
    }

    /// What to look for.
    private struct Search {
        let key: StaticString?
        let needsFinishReason: Bool

        init(api: InferenceAPI, isEventStream: Bool) {
            key = api == .sglangGenerate ? "\"meta_info\"" : api.reportsUsage ? "\"usage\"" : nil
            needsFinishReason = api == .sglangGenerate && isEventStream
        }

        func merge(_ bytes: RawSpan, into usage: inout ResponseUsage?) {
            guard let key else { return }
            guard let found = UsageObject.last(key: key, in: bytes, needsFinishReason: needsFinishReason) else {
                return
            }
            var merged = usage ?? ResponseUsage()
            merged.merge(found)
            usage = merged
        }
    }
}

extension GRPCUsageReader.Message {
    /// The messages of a response of `api`; `nil` when it is not gRPC's.
    fileprivate init?(_ api: InferenceAPI) {
        switch api {
        case .vllmGRPCGenerate: self = .generate
        case .vllmGRPCEmbed: self = .embed
        case .vertexChatCompletions, .vertexRawPredict: self = .httpBody
        default: return nil
        }
    }
}
