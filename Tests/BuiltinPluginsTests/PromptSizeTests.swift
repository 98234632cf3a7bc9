import GatewayCore
import Testing

@testable import BuiltinPlugins

@Suite struct PromptSizeTests {
    private func size(bytes: Int, tokens: Int, _ features: [PromptTokens.Feature]? = nil) -> PromptSize {
        let request = InferenceRequest(id: "r", model: "m", promptRanges: [5..<5 + bytes], inputTokens: tokens)
        return PromptSize(request, features.map { PromptTokens(count: tokens, features: $0) })
    }

    private func feature(_ bytes: Range<Int>, _ tokens: Range<Int>) -> PromptTokens.Feature {
        PromptTokens.Feature(modality: .image, hash: 1, tokens: tokens, bytes: bytes)
    }

    @Test(arguments: [
        // bytes, tokens, first bytes, their tokens
        (400, 100, 0, 0), (400, 100, 256, 64), (400, 100, 399, 99), (400, 100, 400, 100), (400, 100, .max, 100),
        (397, 100, 396, 99), (397, 100, 256, 64),
        // Token ids in the body are digits.
        (700, 100, 350, 50), (100, 1_000, 10, 100),
        // Nobody knows the bytes.
        (0, 100, 40, 10), (0, 100, 4_000, 100), (0, 0, 40, 0),
        (.max - 5, .max, .max - 6, .max - 2), (400, -3, 4, 0),
    ])
    func textIsInProportion(bytes: Int, tokens: Int, first: Int, expected: Int) {
        #expect(size(bytes: bytes, tokens: tokens).tokens(ofFirst: first) == expected)
    }

    @Test func aPictureCountsByItsTokens() {
        // 40 bytes of text, a picture, 80 bytes of text, a picture, 20 bytes of text.
        let features = [feature(40..<10_040, 10..<110), feature(10_120..<10_124, 130..<930)]
        let size = size(bytes: 10_144, tokens: 935, features)
        let expected = [
            (0, 0), (20, 5), (40, 10), (5_040, 60), (10_040, 110), (10_080, 120), (10_120, 130), (10_121, 330),
            (10_124, 930), (10_140, 934), (10_144, 935), (20_000, 935),
        ]
        for (first, tokens) in expected { #expect(size.tokens(ofFirst: first) == tokens, "\(first)") }
    }

    @Test func moreBytesAreNeverFewerTokens() {
        let size = size(bytes: 600, tokens: 400, [feature(0..<7, 0..<1), feature(7..<90, 1..<300)])
        var last = 0
        for first in 0...700 {
            let tokens = size.tokens(ofFirst: first)
            #expect(tokens >= last && tokens <= 400)
            last = tokens
        }
        #expect(last == 400)
    }
}
