import GatewayCore

/// Text of a wanted number of tokens, made without a tokenizer.
///
/// Every word is a common English one of three letters: with the space in front of it, it is one token in the
/// vocabularies of the usual models. What a server counted is in its answer's `usage`, and that is what reports show.
package enum PromptWords {
    /// The words.
    static let words: [StaticString] = [
        "the", "and", "for", "are", "but", "not", "you", "all", "any", "can", "had", "her", "was", "one", "our", "out",
        "day", "get", "has", "him", "his", "how", "man", "new", "now", "old", "see", "two", "way", "who", "boy", "did",
        "its", "let", "put", "say", "she", "too", "use", "act", "add", "age", "ago", "aid", "aim", "air", "arm", "art",
        "ask", "bad", "bag", "bar", "bed", "big", "bit", "box", "bus", "buy", "car", "cat", "cut", "die", "dog", "dry",
        "due", "ear", "eat", "egg", "end", "eye", "far", "fat", "few", "fit", "fly", "fun", "gas", "god", "gap", "guy",
        "hit", "hot", "ice", "job", "key", "kid", "law", "lay", "leg", "lie", "lot", "low", "map", "may", "men", "mix",
        "net", "off", "oil", "own", "pay", "per", "raw", "red", "row", "run", "sea", "set", "shy", "sir", "sit", "six",
        "sky", "son", "sun", "tax", "tea", "ten", "tie", "top", "try", "via", "war", "wet", "why", "win", "yes", "yet",
    ]
    /// The bytes of a word with the space behind it.
    static let bytesPerWord = 4

    /// Appends `count` words with spaces between them.
    static func append(_ count: Int, _ random: inout RandomSource, to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + count * bytesPerWord)
        // One number gives nine words: seven bits each.
        var bits: UInt64 = 0
        for position in 0..<count {
            if position % 9 == 0 { bits = random.next() }
            let word = words[Int(bits & 0x7F)].utf8Start
            bits >>= 7
            if position > 0 { bytes.append(UInt8(ascii: " ")) }
            bytes.append(word[0])
            bytes.append(word[1])
            bytes.append(word[2])
        }
    }
}
