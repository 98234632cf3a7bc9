/// Compares a JSON string whose content comes byte by byte with a text, the string's escapes resolved.
///
/// Bounded: a byte of the text is at most six bytes of the string, and the first byte that differs ends the comparison.
struct JSONStringComparison: Sendable {
    /// What is known behind a byte.
    enum Verdict: Hashable, Sendable {
        /// The string equals the text so far and goes on.
        case open
        /// The string has ended and equals the text.
        case equal
        /// The string is another one. Whoever reads on begins behind the byte when that is a part of an escape
        /// sequence, and else with it: it may be the quote that ends the string.
        case different(isPartOfEscape: Bool)
    }

    private enum Escape: Hashable, Sendable {
        case none
        /// Behind the backslash.
        case begun
        /// In the four digits of a code unit.
        case codeUnit(digits: Int, value: UInt16)
    }

    private let text: [UInt8]
    private var matched = 0
    private var escape = Escape.none
    /// The first half of a surrogate pair whose second half must come next.
    private var lead: UInt16?

    /// Makes a comparison with the UTF-8 of `text`.
    init(with text: String) {
        self.text = Array(text.utf8)
    }

    /// Begins with another string.
    mutating func restart() {
        matched = 0
        escape = .none
        lead = nil
    }

    /// Takes the next byte of the string, the first one that behind its opening quote.
    mutating func take(_ byte: UInt8) -> Verdict {
        switch escape {
        case .none:
            return takePlain(byte)
        case .begun:
            escape = .none
            if byte == UInt8(ascii: "u") {
                escape = .codeUnit(digits: 0, value: 0)
                return .open
            }
            guard lead == nil, let meant = Self.meaning(ofEscape: byte), takes(meant) else {
                return .different(isPartOfEscape: true)
            }
            return .open
        case .codeUnit(let digits, let value):
            guard let digit = JSONText.hexadecimalDigit(byte) else { return .different(isPartOfEscape: false) }
            let value = value &<< 4 | UInt16(digit)
            guard digits == 3 else {
                escape = .codeUnit(digits: digits + 1, value: value)
                return .open
            }
            escape = .none
            return takes(codeUnit: value) ? .open : .different(isPartOfEscape: true)
        }
    }

    private mutating func takePlain(_ byte: UInt8) -> Verdict {
        if byte == UInt8(ascii: "\\") {
            escape = .begun
            return .open
        }
        guard lead == nil else { return .different(isPartOfEscape: false) }
        if byte == UInt8(ascii: "\"") {
            return matched == text.count ? .equal : .different(isPartOfEscape: false)
        }
        return takes(byte) ? .open : .different(isPartOfEscape: false)
    }

    /// Compares one byte of the string's text.
    private mutating func takes(_ byte: UInt8) -> Bool {
        guard matched < text.count, text[matched] == byte else { return false }
        matched += 1
        return true
    }

    private mutating func takes(codeUnit unit: UInt16) -> Bool {
        let scalar: Unicode.Scalar?
        if let lead {
            self.lead = nil
            scalar = UTF16.isTrailSurrogate(unit) ? JSONText.scalar(lead: lead, trail: unit) : nil
        } else if UTF16.isLeadSurrogate(unit) {
            lead = unit
            return true
        } else {
            scalar = Unicode.Scalar(unit)
        }
        guard let scalar else { return false }
        for byte in scalar.utf8 where !takes(byte) { return false }
        return true
    }

    /// The byte that a backslash and `byte` stand for; `nil` when they are no escape sequence.
    private static func meaning(ofEscape byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }
}
