import GatewayCore

/// How many tokens of a prompt stand for a picture.
struct ImageEstimate: Sendable {
    private enum Mode: String, CaseIterable, Sendable {
        case dynamic
        case `static`
    }

    private let mode: Mode
    private let staticTokens: Int
    private let defaultSize: PixelSize
    private let pixelsPerToken: Int

    /// Reads `mode` (`dynamic` or `static`), `dynamic.factor` (1,024 pixels per token), `static.staticToken` (1) and
    /// `defaultResolution` (640 × 360) of `parameters`; 0 means the default everywhere.
    init(_ parameters: ParameterDecoder?) {
        mode = parameters?.enumeration("mode", default: .dynamic) ?? .dynamic
        staticTokens = max(1, parameters?.object("static")?.tokens("staticToken") ?? 0)
        defaultSize = parameters?.defaultSize() ?? .standard
        pixelsPerToken = parameters?.object("dynamic")?.pixelsPerToken() ?? PixelSize.standardPixelsPerToken
    }

    /// The tokens of a picture; `size` is `nil` when nothing told it.
    func tokens(_ size: PixelSize?) -> Int {
        switch mode {
        case .dynamic: (size ?? defaultSize).tokens(pixelsPerToken: pixelsPerToken)
        case .static: staticTokens
        }
    }
}

/// What a request's header says of its films: the fields `x-llm-d-video-duration-seconds`, `x-llm-d-video-fps` and
/// `x-llm-d-video-resolution` (`WIDTHxHEIGHT`). One that cannot be read counts as absent.
struct VideoClaims: Hashable, Sendable {
    let seconds: Double?
    let framesPerSecond: Double?
    let size: PixelSize?

    /// Reads the fields.
    init(_ headers: HeaderMap) {
        seconds = Self.positive(headers.first("x-llm-d-video-duration-seconds"))
        framesPerSecond = Self.positive(headers.first("x-llm-d-video-fps"))
        size = headers.first("x-llm-d-video-resolution").flatMap(Self.size)
    }

    private static func positive(_ text: String?) -> Double? {
        guard let text, let number = Double(text), number.isFinite, number > 0 else { return nil }
        return number
    }

    private static func size(_ text: String) -> PixelSize? {
        let sides = text.split(maxSplits: 1, omittingEmptySubsequences: false) { $0 == "x" || $0 == "X" }
        guard sides.count == 2, let width = Int(sides[0].trimmingWhitespace()),
            let height = Int(sides[1].trimmingWhitespace())
        else { return nil }
        return PixelSize(width: width, height: height)
    }
}

/// How many tokens of a prompt stand for a film: its frames, as the engine samples them, times those of a frame.
struct VideoEstimate: Sendable {
    private enum SizeMode: String, CaseIterable, Sendable {
        case dynamic
        case `static`
    }

    private enum FrameMode: String, CaseIterable, Sendable {
        case sampled, strided
    }

    /// More frames are not believed: a day of film at 12 a second.
    private static let mostFrames = 1 << 20

    private let sizeMode: SizeMode
    private let frameMode: FrameMode
    private let staticTokens: Int
    private let pixelsPerToken: Int
    private let defaultSize: PixelSize
    private let defaultSeconds: Double
    private let minFrames: Int
    private let maxFrames: Int
    private let sampledPerSecond: Double
    private let mergedFrames: Int
    private let sourcePerSecond: Double
    private let stride: Int
    private let maxTokens: Int

    /// Reads `tokensPerFrame`, `frames`, `defaultResolution` (640 × 360), `defaultDuration` (10 s) and `maxVideoTokens`
    /// (none) of `parameters`; 0 means the default everywhere.
    init(_ parameters: ParameterDecoder?) {
        let perFrame = parameters?.object("tokensPerFrame")
        sizeMode = perFrame?.enumeration("mode", default: .dynamic) ?? .dynamic
        staticTokens = max(1, perFrame?.object("static")?.tokens("numTokensPerFrame") ?? 0)
        pixelsPerToken = perFrame?.object("dynamic")?.pixelsPerToken() ?? PixelSize.standardPixelsPerToken

        let frames = parameters?.object("frames")
        frameMode = frames?.enumeration("mode", default: .sampled) ?? .sampled
        minFrames = frames?.int("minFrames", default: 0, in: 0...Self.mostFrames) ?? 0
        maxFrames = frames?.int("maxFrames", default: 0, in: 0...Self.mostFrames) ?? 0
        let sampled = frames?.object("sampled")
        sampledPerSecond = sampled?.rate("sampleFPS") ?? 2
        mergedFrames = max(1, sampled?.int("temporalPatchSize", default: 0, in: 0...1024) ?? 0)
        let strided = frames?.object("strided")
        sourcePerSecond = strided?.rate("defaultSourceFPS") ?? 24
        stride = max(1, strided?.int("frameStride", default: 0, in: 0...Self.mostFrames) ?? 0)

        defaultSize = parameters?.defaultSize() ?? .standard
        let seconds = parameters?.double("defaultDuration", default: 0, in: 0...86_400) ?? 0
        defaultSeconds = seconds > 0 ? seconds : 10
        maxTokens = parameters?.tokens("maxVideoTokens") ?? 0
    }

    /// The tokens of a film of which the request says `claims`, at least 1.
    func tokens(_ claims: VideoClaims) -> Int {
        let tokens = frames(claims) * tokensPerFrame(claims)
        return max(1, maxTokens > 0 ? min(tokens, maxTokens) : tokens)
    }

    private func tokensPerFrame(_ claims: VideoClaims) -> Int {
        switch sizeMode {
        case .dynamic: (claims.size ?? defaultSize).tokens(pixelsPerToken: pixelsPerToken)
        case .static: staticTokens
        }
    }

    /// Frames, or groups of frames where the engine merges neighbours.
    private func frames(_ claims: VideoClaims) -> Int {
        let seconds = claims.seconds ?? defaultSeconds
        switch frameMode {
        case .sampled: return limited(whole(seconds * sampledPerSecond)) / mergedFrames
        case .strided: return limited(whole(seconds * (claims.framesPerSecond ?? sourcePerSecond)) / stride)
        }
    }

    private func whole(_ frames: Double) -> Int {
        Int(min(frames, Double(Self.mostFrames)))
    }

    private func limited(_ frames: Int) -> Int {
        let enough = max(frames, minFrames)
        return maxFrames > 0 ? min(enough, maxFrames) : enough
    }
}

extension ParameterDecoder {
    /// `defaultResolution`: an object of `width` and `height`; a side that is absent or 0 is that of 640 × 360.
    fileprivate func defaultSize() -> PixelSize {
        let standard = PixelSize.standard
        guard let size = object("defaultResolution") else { return standard }
        let width = size.int("width", default: 0, in: 0...PixelSize.longestSide)
        let height = size.int("height", default: 0, in: 0...PixelSize.longestSide)
        return PixelSize(
            width: width > 0 ? width : standard.width,
            height: height > 0 ? height : standard.height
        ) ?? standard
    }

    fileprivate func pixelsPerToken() -> Int {
        let factor = int("factor", default: 0, in: 0...(1 << 32))
        return factor > 0 ? factor : PixelSize.standardPixelsPerToken
    }

    fileprivate func tokens(_ key: String) -> Int {
        int(key, default: 0, in: 0...PromptTokens.mostMediaTokens)
    }

    /// A number of frames a second; `nil` when it is absent or 0.
    fileprivate func rate(_ key: String) -> Double? {
        let rate = double(key, default: 0, in: 0...1000)
        return rate > 0 ? rate : nil
    }
}
