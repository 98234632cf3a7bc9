import Foundation
import GatewayCore
import GatewayTesting
import PrefixIndex
import RequestFormats
import Testing

@testable import BuiltinPlugins

/// A `token-producer` and what it tells of requests.
struct TokenPool {
    private let producer: TokenProducer
    private let reader: DataReader<PromptTokens>
    private let slotCount: Int

    init(_ parameters: ConfigurationValue? = nil) throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        producer = try make(TokenProducer.self, parameters, context: &context)
        reader = context.consume(PromptTokens.key)
        slotCount = context.slotCount
    }

    func tokens(_ request: InferenceRequest) -> PromptTokens? {
        var context = SchedulingContext.sample(request, slotCount: slotCount)
        producer.produce(for: .sample(count: 1), context: &context)
        return context.scratch[reader]
    }

    /// What it tells of a body of `api`.
    func tokens(_ text: String, as api: InferenceAPI, headers: [String: String] = [:]) throws -> PromptTokens? {
        tokens(try request(text, as: api, headers: headers))
    }

    /// What it tells of a chat whose only message has `content`.
    func tokens(chat content: String, headers: [String: String] = [:]) throws -> PromptTokens {
        try #require(try tokens(chatBody(content), as: .chatCompletions, headers: headers))
    }
}

func chatBody(_ content: String) -> String {
    #"{"model":"m","messages":[{"role":"user","content":\#(content)}]}"#
}

/// The request that the gateway makes of a body.
func request(
    _ text: String,
    as api: InferenceAPI,
    headers: [String: String] = [:]
) throws -> InferenceRequest {
    let bytes = Array(text.utf8)
    let body = try ParsedBody(parsing: bytes.span.bytes, as: api)
    return InferenceRequest(
        id: "r",
        model: "m",
        headers: HeaderMap(headers.map { HeaderMap.Field(name: $0.key, value: $0.value) }),
        body: ArrayBody(bytes),
        promptRanges: Array(body.prompt),
        inputTokens: body.inputTokenEstimate
    )
}

private func image(_ url: String) -> String { #"[{"type":"image_url","image_url":{"url":"\#(url)"}}]"# }
private let video = #"[{"type":"video_url","video_url":{"url":"http://v"}}]"#

private func hash(_ text: String) -> UInt64 { XXH64.hash(text.utf8.span.bytes) }

/// The first bytes of files, in base64.
private enum Pictures {
    static func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    static func png(_ width: UInt32, _ height: UInt32) -> [UInt8] {
        let sides = [width, height].flatMap { side in (0..<4).map { UInt8(truncatingIfNeeded: side >> (24 - 8 * $0)) } }
        return [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 13] + Array("IHDR".utf8) + sides + [8, 6, 0]
    }

    static func gif(_ width: UInt16, _ height: UInt16) -> [UInt8] {
        Array("GIF89a".utf8) + [width, height].flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] } + [0, 0]
    }

    /// A file with metadata and tables in front of its frame, which begins with `marker`.
    static func jpeg(_ width: UInt16, _ height: UInt16, marker: UInt8 = 0xC0, metadata: Int = 3000) -> [UInt8] {
        let length = [UInt8((metadata + 2) >> 8), UInt8((metadata + 2) & 255)]
        let sides = [height, width].flatMap { [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)] }
        return [0xFF, 0xD8, 0xFF, 0xE1] + length + [UInt8](repeating: 0x41, count: metadata)
            + [0xFF, 0xC4, 0, 4, 1, 2, 0xFF, 0xFF, marker, 0, 17, 8] + sides + [3, 1, 0x22, 0]
    }
}

@Suite struct TokenProducerTests {
    @Test func textCountsFourBytesAToken() throws {
        let pool = try TokenPool()
        #expect(try pool.tokens(#"{"model":"m","prompt":"hello"}"#, as: .completions)?.count == 2)
        #expect(try pool.tokens(#"{"model":"m","prompt":[1,22,333]}"#, as: .completions)?.count == 3)
        let chat = try pool.tokens(chat: #""hello""#)
        #expect(chat.count == (#"[{"role":"user","content":"hello"}]"#.utf8.count + 3) / 4)
        #expect(chat.features.isEmpty)
    }

    @Test func withoutAPromptThereAreNoTokens() throws {
        let pool = try TokenPool()
        #expect(pool.tokens(.sample()) == nil)
        #expect(pool.tokens(InferenceRequest(id: "r", model: "m", body: ArrayBody(Array("raw".utf8)))) == nil)
        // The body was let go of, and its ranges lead nowhere.
        let gone = InferenceRequest(id: "r", model: "m", promptRanges: [3..<90], inputTokens: 22)
        #expect(pool.tokens(gone)?.count == 22)
    }

    @Test func mediaDoNotCountByTheirBytes() throws {
        let data =
            "data:image/png;base64," + Pictures.base64(Pictures.png(320, 64)) + String(repeating: "A", count: 40_000)
        let url = "http://p"
        let content = #"[{"type":"text","text":"x"},\#(image(data).dropFirst().dropLast()),\#(image(url).dropFirst())"#
        let tokens = try TokenPool().tokens(chat: content)
        let prompt = #"[{"role":"user","content":\#(content)}]"#
        let text = prompt.utf8.count - data.utf8.count - url.utf8.count
        // 320 × 64 / 1,024, and 640 × 360 / 1,024 for the picture of which only the address is known.
        #expect(tokens.count == (text + 3) / 4 + 20 + 225)
        let before = try #require(prompt.range(of: data)).lowerBound.utf16Offset(in: prompt)
        let first = (before + 3) / 4
        #expect(tokens.features.map(\.modality) == [.image, .image])
        #expect(tokens.features.map(\.hash) == [hash(data), hash(url)])
        #expect(tokens.features[0].tokens == first..<first + 20)
        #expect(tokens.features[1].tokens.count == 225)
        #expect(
            tokens.features[1].tokens.lowerBound >= first + 20 && tokens.features[1].tokens.upperBound <= tokens.count)
    }

    @Test func anthropicImagesCountToo() throws {
        let data = Pictures.base64(Pictures.gif(1024, 8))
        let text = #"""
            {"model":"c","max_tokens":1,"messages":[{"role":"user","content":[
            {"type":"image","source":{"type":"base64","media_type":"image/gif","data":"\#(data)"}},
            {"type":"image","source":{"type":"url","url":"http://p"}}]}]}
            """#
        let tokens = try #require(try TokenPool().tokens(text, as: .messages))
        #expect(tokens.features.map(\.tokens.count) == [8, 225])
        #expect(tokens.features.map(\.hash) == [hash(data), hash("http://p")])
    }

    @Test func aSpellingWithEscapesIsTheSamePicture() throws {
        let pool = try TokenPool()
        let data = "data:image/jpeg;base64," + Pictures.base64(Pictures.jpeg(2048, 64))
        let plain = try pool.tokens(chat: image(data))
        let escaped = try pool.tokens(chat: image(data.replacing("/", with: #"\/"#)))
        #expect(plain.features[0].hash == escaped.features[0].hash)
        #expect(plain.features[0].tokens.count == 128 && escaped.features[0].tokens.count == 128)
    }

    @Test func recordingsCountFourCharactersAToken() throws {
        let pool = try TokenPool()
        for (data, count) in [("A", 1), ("AAAA", 1), ("AAAAA", 2), (String(repeating: "A", count: 4001), 1001)] {
            let tokens = try pool.tokens(
                chat: #"[{"type":"input_audio","input_audio":{"data":"\#(data)","format":"wav"}}]"#
            )
            #expect(tokens.features.map(\.modality) == [.audio])
            #expect(tokens.features[0].tokens.count == count, "\(data.utf8.count)")
        }
    }

    @Test(
        arguments: [
            (Pictures.png(3000, 2000), PixelSize(width: 3000, height: 2000)),
            (Pictures.gif(640, 3), PixelSize(width: 640, height: 3)),
            (Pictures.jpeg(800, 600), PixelSize(width: 800, height: 600)),
            (Pictures.jpeg(801, 601, marker: 0xC2, metadata: 0), PixelSize(width: 801, height: 601)),
            (Pictures.png(0, 7), nil),
            (Pictures.png(.max, .max), nil),
            (Pictures.jpeg(8, 8, marker: 0xDA), nil),
            (Array(Pictures.png(3, 3).prefix(20)), nil),
            (Array(Pictures.jpeg(8, 8).prefix(3010)), nil),
            (Array(Pictures.gif(8, 8).prefix(9)), nil),
            (Array("<svg width='9'>".utf8), nil),
            ([0xFF, 0xD8] + [UInt8](repeating: 0xFF, count: 2000), nil),
            ([], nil),
        ] as [([UInt8], PixelSize?)])
    func theHeaderTellsTheSize(bytes: [UInt8], size: PixelSize?) {
        let data = Pictures.base64(bytes)
        #expect(ImageHeader.size(of: data.utf8.span.bytes) == size)
        #expect(ImageHeader.size(of: "data:image/x;base64,\(data)".utf8.span.bytes) == size)
        #expect(ImageHeader.size(of: "data:text/plain;base64,\(data)".utf8.span.bytes) == nil)
    }

    @Test(
        arguments: [
            (["mode": "static", "static": ["staticToken": 77]], 77),
            (["mode": "static"], 1),
            (["dynamic": ["factor": 10]], 23_040),
            (["dynamic": ["factor": 0]], 225),
            (["dynamic": ["factor": 4_000_000_000]], 1),
            (["defaultResolution": ["width": 1024, "height": 2]], 2),
            (["defaultResolution": ["width": 1024]], 360),
            (["mode": "dynamic", "static": ["staticToken": 77]], 225),
        ] as [(ConfigurationValue, Int)])
    func picturesAreEstimatedAsConfigured(parameters: ConfigurationValue, count: Int) throws {
        let pool = try TokenPool(["estimate": ["image": parameters]])
        #expect(try pool.tokens(chat: image("http://p")).features[0].tokens.count == count)
    }

    @Test(
        arguments: [
            ([:], [:], 4500),
            (["defaultDuration": 3], [:], 1350),
            (["frames": ["maxFrames": 4]], [:], 900),
            (["frames": ["minFrames": 40]], [:], 9000),
            (["frames": ["sampled": ["sampleFPS": 0.5, "temporalPatchSize": 2]]], [:], 450),
            (["frames": ["sampled": ["temporalPatchSize": 64]]], [:], 1),
            (["frames": ["mode": "strided"]], [:], 54_000),
            (["frames": ["mode": "strided", "strided": ["defaultSourceFPS": 30, "frameStride": 7]]], [:], 9450),
            (["frames": ["mode": "strided"]], ["x-llm-d-video-fps": "1.5"], 3375),
            ([:], ["x-llm-d-video-fps": "1.5"], 4500),
            (["tokensPerFrame": ["mode": "static", "static": ["numTokensPerFrame": 66]]], [:], 1320),
            (["tokensPerFrame": ["dynamic": ["factor": 2304]]], [:], 2000),
            (["defaultResolution": ["width": 1024, "height": 4]], [:], 80),
            (["maxVideoTokens": 1000], [:], 1000),
            ([:], ["x-llm-d-video-duration-seconds": "2.5"], 1125),
            (["defaultDuration": 3], ["X-LLM-D-Video-Duration-Seconds": "-1"], 1350),
            ([:], ["x-llm-d-video-duration-seconds": "nan"], 4500),
            ([:], ["x-llm-d-video-duration-seconds": "1e300"], 1 << 22),
            ([:], ["x-llm-d-video-resolution": "1024 X 2"], 40),
            ([:], ["x-llm-d-video-resolution": "1024"], 4500),
            ([:], ["x-llm-d-video-resolution": "0x9"], 4500),
            ([:], ["x-llm-d-video-resolution": "99999999999999999999x2"], 4500),
        ] as [(ConfigurationValue, [String: String], Int)])
    func filmsAreEstimatedByFrames(parameters: ConfigurationValue, headers: [String: String], count: Int) throws {
        let pool = try TokenPool(["estimate": ["video": parameters]])
        #expect(try pool.tokens(chat: video, headers: headers).features[0].tokens.count == count)
    }

    @Test func mediaTogetherAreBounded() throws {
        let one = #"{"type":"video_url","video_url":{"url":"http://v"}}"#
        let many = "[" + Array(repeating: one, count: 1100).joined(separator: ",") + "]"
        let tokens = try TokenPool().tokens(chat: many, headers: ["x-llm-d-video-duration-seconds": "36000"])
        #expect(tokens.features.count == 1024)
        #expect(tokens.features.map(\.tokens.count).reduce(0, +) == PromptTokens.mostMediaTokens)
        #expect(tokens.count < PromptTokens.mostMediaTokens + many.utf8.count)
    }

    @Test func aRetryKeepsWhatWasFound() throws {
        var context = PluginContext(clock: SystemMonotonicClock())
        let producer = try make(TokenProducer.self, context: &context)
        let reader = context.consume(PromptTokens.key)
        var scheduling = SchedulingContext.sample(.sample(prompt: "hello"), slotCount: context.slotCount)
        producer.produce(for: .sample(count: 1), context: &scheduling)
        let first = try #require(scheduling.scratch[reader])
        producer.produce(for: .sample(count: 2), context: &scheduling)
        #expect(scheduling.scratch[reader] === first)
    }

    @Test(
        arguments: [
            (["estimate": ["image": ["mode": "exact"]]], "\"exact\" is not one of dynamic, static"),
            (["estimate": ["image": ["factor": 3]]], "factor"),
            (["estimate": ["video": ["frames": ["mode": "all"]]]], "\"all\" is not one of sampled, strided"),
            (["estimate": ["video": ["defaultDuration": -1]]], "-1 is not in"),
        ] as [(ConfigurationValue, String)])
    func refusesBadParameters(parameters: ConfigurationValue, message: String) {
        let text = failure(TokenProducer.self, parameters)
        #expect(text?.contains(message) == true, "\(text ?? "no error")")
    }

    /// Configurations that name another tokenizer work, with estimates.
    @Test(arguments: ["vllm", "modelName", "udsTokenizerConfig"])
    func otherTokenizersHaveNoEffect(key: String) throws {
        let value = ConfigurationValue(
            .object([.init(key: key, keyPosition: .builtin, value: ["url": "http://localhost:8000"])])
        )
        let decoder = ParameterDecoder(value: value, path: "parameters")
        var context = PluginContext(clock: SystemMonotonicClock())
        _ = TokenProducer(parameters: decoder, context: &context)
        try decoder.finish()
        #expect(decoder.warnings.map(\.path) == ["parameters.\(key)"])
        #expect(decoder.warnings[0].message.contains("has no effect: tokens are estimated"))
    }

    @Test func noMutationOfABodyTraps() throws {
        let pool = try TokenPool()
        var random = RandomSource(seed: 7)
        let url = "data:image/jpeg;base64," + Pictures.base64(Pictures.jpeg(80, 60, metadata: 12))
        let text = chatBody(
            #"[{"type":"image_url","image_url":{"url":"\#(url)"}},"#
                + #"{"type":"image","source":{"data":"\#(Pictures.base64(Pictures.png(9, 9)))"}},"#
                + #"{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}}]"#
        )
        let original = Array(text.utf8)
        let start = try #require(try request(text, as: .chatCompletions).promptRanges.first).lowerBound
        var found = 0
        for _ in 0..<10_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: place)
                default: bytes[place] = Array("[]{}\",:\\/u+=Z".utf8).randomElement(using: &random) ?? 0
                }
            }
            let end = Int.random(in: start...max(start, bytes.count) + 2, using: &random)
            let tokens = pool.tokens(
                InferenceRequest(
                    id: "r",
                    model: "m",
                    body: ArrayBody(bytes),
                    promptRanges: [start..<(Bool.random(using: &random) ? end : max(start, bytes.count))],
                    inputTokens: 5
                )
            )
            for feature in tokens?.features ?? [] {
                found += 1
                if feature.tokens.isEmpty || feature.tokens.upperBound > (tokens?.count ?? 0)
                    || feature.bytes.lowerBound < 0 || feature.bytes.upperBound > max(0, bytes.count - start)
                {
                    Issue.record("\(String(decoding: bytes, as: UTF8.self))")
                }
            }
        }
        #expect(found > 1000)
    }
}
