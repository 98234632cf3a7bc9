/// Text that looks like a prompt once it stands inside a JSON string: words, punctuation, escaped line breaks and
/// quotes, and some letters beyond ASCII, so that a scanner meets what it meets in production.
enum PromptText {
    private static let words = [
        "the", "request", "arrives", "at", "a", "gateway", "which", "reads", "its", "prompt", "and", "asks", "who",
        "already", "holds", "this", "prefix", "in", "memory", "because", "computing", "it", "again", "costs", "time",
        "summary", "of", "chapter", "seven", "customer", "invoice", "translate", "carefully", "naïve", "café",
        "temperature", "between", "Zürich", "and", "Łódź", "function", "returns", "value", "error", "otherwise",
    ]

    /// Exactly `byteCount` bytes of JSON-escaped text.
    static func make(byteCount: Int, using random: inout SplitMix64) -> String {
        var text = ""
        text.reserveCapacity(byteCount)
        var used = 0
        while true {
            let piece = nextPiece(using: &random)
            guard used + piece.utf8.count <= byteCount else { break }
            text += piece
            used += piece.utf8.count
        }
        text += String(repeating: ".", count: byteCount - used)
        return text
    }

    private static func nextPiece(using random: inout SplitMix64) -> String {
        let word = words[Int(random.next() % UInt64(words.count))]
        switch random.next() % 64 {
        case 0: return word + ".\\n"
        case 1: return "\\\"" + word + "\\\" "
        case 2...5: return word + ". "
        case 6...9: return word + ", "
        default: return word + " "
        }
    }
}
