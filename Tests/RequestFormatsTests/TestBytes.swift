@testable import RequestFormats

/// Parses a text as the body of `api`.
func parse(_ text: String, as api: InferenceAPI = .chatCompletions) throws(FormatError) -> ParsedBody {
    let bytes = Array(text.utf8)
    return try ParsedBody(parsing: bytes.span.bytes, as: api)
}

/// The error that `text` gives as a body of `api`; `nil` when it is accepted.
func refusal(_ text: String, as api: InferenceAPI = .chatCompletions) -> FormatError? {
    do throws(FormatError) {
        _ = try parse(text, as: api)
        return nil
    } catch {
        return error
    }
}

/// Validates a whole document; the error, or `nil` when it is valid.
func syntaxError(_ bytes: [UInt8], depthLimit: Int = 128) -> FormatError? {
    var scanner = JSONScanner(depthLimit: depthLimit)
    do throws(FormatError) {
        _ = try scanner.skipValue(in: bytes.span.bytes)
        try scanner.finish(in: bytes.span.bytes)
        return nil
    } catch {
        return error
    }
}

/// Validates a whole document; the error, or `nil` when it is valid.
func syntaxError(_ text: String, depthLimit: Int = 128) -> FormatError? {
    syntaxError(Array(text.utf8), depthLimit: depthLimit)
}

/// The texts that the prompt ranges of `body` cover.
func promptTexts(_ body: ParsedBody, of text: String) -> [String] {
    let bytes = Array(text.utf8)
    return body.prompt.map { String(decoding: bytes[$0], as: UTF8.self) }
}

/// A small seeded generator (SplitMix64, Steele et al. 2014), so that every run meets the same inputs.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// A copy of `bytes` with one to four random changes: a bit flipped, a byte set, removed or doubled, a cut, or a
    /// part of the same input copied elsewhere.
    mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &self) where !bytes.isEmpty {
            let position = Int.random(in: 0..<bytes.count, using: &self)
            switch Int.random(in: 0..<7, using: &self) {
            case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &self)
            case 1: bytes[position] = UInt8.random(in: 0...255, using: &self)
            case 2: bytes.remove(at: position)
            case 3: bytes.insert(bytes[position], at: position)
            case 4: bytes.removeSubrange(position...)
            case 5: bytes[position] = Array("{}[]\",:\\-+.eE0u\0\u{7F}".utf8).randomElement(using: &self)!
            default:
                let end = min(bytes.count, position + Int.random(in: 1...32, using: &self))
                bytes.insert(contentsOf: bytes[position..<end], at: Int.random(in: 0...bytes.count, using: &self))
            }
        }
        return bytes
    }
}
