/// A token of the simulated vocabulary: four bytes of text, the first byte in the lowest eight bits.
///
/// Four bytes a token is close to what real vocabularies reach on English text, and it makes lengths easy to foresee: a
/// prompt of 16,000 bytes has 4,000 tokens.
package struct SimulatedToken: Sendable, Hashable {
    /// The four bytes of the token, or a token number that a client sent in place of text.
    package let value: UInt32

    /// Bytes of text in one token.
    package static let byteCount = 4

    /// A token of a given value.
    package init(value: UInt32) {
        self.value = value
    }

    /// The text's bytes, in order.
    package var bytes: (UInt8, UInt8, UInt8, UInt8) {
        (
            UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8),
            UInt8(truncatingIfNeeded: value >> 16), UInt8(truncatingIfNeeded: value >> 24)
        )
    }

    /// The token as text; a generated one is plain ASCII.
    package var text: String {
        let (first, second, third, fourth) = bytes
        return String(decoding: [first, second, third, fourth], as: UTF8.self)
    }

    /// The tokens of a text: one for every four bytes, the last one filled up with zero bytes.
    package static func tokens(of text: some Collection<UInt8>) -> [SimulatedToken] {
        var tokens: [SimulatedToken] = []
        tokens.reserveCapacity(text.count / byteCount + 1)
        var value: UInt32 = 0
        var shift: UInt32 = 0
        for byte in text {
            value |= UInt32(byte) << shift
            shift += 8
            if shift == 32 {
                tokens.append(SimulatedToken(value: value))
                value = 0
                shift = 0
            }
        }
        if shift > 0 {
            tokens.append(SimulatedToken(value: value))
        }
        return tokens
    }
}

/// The text of one answer, a token at a time, determined by a seed.
struct GeneratedText {
    private var random: SeededRandom

    init(seed: UInt64) {
        self.random = SeededRandom(seed: seed)
    }

    /// The next token: a word of four letters to begin with, then words of three letters with a space before them. So
    /// an answer is plain ASCII without a blank at either end, and every token of it is four bytes.
    mutating func next(isFirst: Bool) -> SimulatedToken {
        let words = isFirst ? Self.openings : Self.words
        return words[random.next(below: words.count)]
    }

    private static let openings = vocabulary("Then When Here Some Many They That This What Each Most Once")

    private static let words = vocabulary(
        """
         the  and  for  are  but  not  you  all  any  can  had  her  was  one  our  out  day  get  has  him
         how  man  new  now  old  see  two  way  who  did  its  let  put  say  she  too  use  air  big  box
         car  cup  ear  eat  end  eye  far  few  fly  fun  hot  ice  ink  joy  key  law  map  net  oak  sun
        """
    )

    /// The tokens of a list of words that are all three letters with a space before them, or all four letters.
    private static func vocabulary(_ list: String) -> [SimulatedToken] {
        list.split(whereSeparator: \.isWhitespace).flatMap { word in
            SimulatedToken.tokens(of: word.utf8.count == 3 ? Array(" \(word)".utf8) : Array(word.utf8))
        }
    }
}

/// SplitMix64: a small generator whose whole state is its seed (Steele, Lea, Flood 2014).
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        self.state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        return BlockHash.scramble(state)
    }

    /// A value from 0 up to but not including `bound`, which is above 0. The multiplication's bias is below 2^-50 here.
    mutating func next(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// A value from 0 up to but not including 1.
    mutating func nextUnit() -> Double {
        Double(next() >> 11) * 0x1p-53
    }
}
