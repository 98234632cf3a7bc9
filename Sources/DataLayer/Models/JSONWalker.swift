/// A position in JSON text that checks what it walks over. The text itself is passed to each step.
struct JSONWalker {
    private(set) var offset = 0

    /// An error at the present position.
    func error(_ problem: String) -> ModelListError {
        ModelListError(problem: problem, offset: offset)
    }

    /// Whether a string starts at the present position.
    func isAtString(_ text: RawSpan) -> Bool {
        peek(text) == UInt8(ascii: "\"")
    }

    mutating func skipSpace(_ text: RawSpan) {
        while let byte = peek(text), byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { offset += 1 }
    }

    /// Walks over an object; `member` must take the value of each key, before which spaces are skipped.
    mutating func object(
        _ text: RawSpan,
        depth: Int,
        _ member: (inout JSONWalker, String) throws(ModelListError) -> Void
    ) throws(ModelListError) {
        try enter(depth)
        try take(text, UInt8(ascii: "{"), "an object")
        skipSpace(text)
        if takeIf(text, UInt8(ascii: "}")) { return }
        repeat {
            skipSpace(text)
            let key = try string(text)
            skipSpace(text)
            try take(text, UInt8(ascii: ":"), "':'")
            skipSpace(text)
            try member(&self, key)
            skipSpace(text)
        } while takeIf(text, UInt8(ascii: ","))
        try take(text, UInt8(ascii: "}"), "',' or '}'")
    }

    /// Walks over an array; `element` must take each element, before which spaces are skipped.
    mutating func array(
        _ text: RawSpan,
        depth: Int,
        _ element: (inout JSONWalker) throws(ModelListError) -> Void
    ) throws(ModelListError) {
        try enter(depth)
        try take(text, UInt8(ascii: "["), "an array")
        skipSpace(text)
        if takeIf(text, UInt8(ascii: "]")) { return }
        repeat {
            skipSpace(text)
            try element(&self)
            skipSpace(text)
        } while takeIf(text, UInt8(ascii: ","))
        try take(text, UInt8(ascii: "]"), "',' or ']'")
    }

    /// Walks over any value.
    mutating func skipValue(_ text: RawSpan, depth: Int) throws(ModelListError) {
        switch peek(text) {
        case UInt8(ascii: "{"):
            try object(text, depth: depth) { (walker, _) throws(ModelListError) in
                try walker.skipValue(text, depth: depth + 1)
            }
        case UInt8(ascii: "["):
            try array(text, depth: depth) { (walker) throws(ModelListError) in
                try walker.skipValue(text, depth: depth + 1)
            }
        case UInt8(ascii: "\""): _ = try string(text)
        case UInt8(ascii: "t"): try word(text, "true")
        case UInt8(ascii: "f"): try word(text, "false")
        case UInt8(ascii: "n"): try word(text, "null")
        default: try number(text)
        }
    }

    /// Takes a string and gives it without its escapes.
    mutating func string(_ text: RawSpan) throws(ModelListError) -> String {
        try take(text, UInt8(ascii: "\""), "a string")
        var bytes: [UInt8] = []
        while let byte = peek(text) {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"): try escape(text, into: &bytes)
            case 0..<0x20:
                offset -= 1
                throw error("a control character stands in a string")
            default: bytes.append(byte)
            }
        }
        throw error("a string has no end")
    }

    /// The rest of an escape sequence, behind its backslash.
    private mutating func escape(_ text: RawSpan, into bytes: inout [UInt8]) throws(ModelListError) {
        guard let byte = peek(text) else { throw error("a string has no end") }
        offset += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): bytes.append(byte)
        case UInt8(ascii: "b"): bytes.append(0x08)
        case UInt8(ascii: "f"): bytes.append(0x0C)
        case UInt8(ascii: "n"): bytes.append(0x0A)
        case UInt8(ascii: "r"): bytes.append(0x0D)
        case UInt8(ascii: "t"): bytes.append(0x09)
        case UInt8(ascii: "u"): bytes += Array(String(Character(try unicodeEscape(text))).utf8)
        default:
            offset -= 1
            throw error("a string has an unknown escape")
        }
    }

    /// The character of four hexadecimal digits, or of a surrogate pair.
    private mutating func unicodeEscape(_ text: RawSpan) throws(ModelListError) -> Unicode.Scalar {
        let first = try hexadecimal(text)
        if let scalar = Unicode.Scalar(first) { return scalar }
        if first < 0xDC00, takeIf(text, UInt8(ascii: "\\")), takeIf(text, UInt8(ascii: "u")) {
            let second = try hexadecimal(text)
            if 0xDC00..<0xE000 ~= second {
                let code = 0x10000 + (first - 0xD800) << 10 + second - 0xDC00
                if let scalar = Unicode.Scalar(code) { return scalar }
            }
        }
        throw error("a surrogate has no partner")
    }

    private mutating func hexadecimal(_ text: RawSpan) throws(ModelListError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = peek(text), let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw error("expected a hexadecimal digit")
            }
            value = value << 4 | UInt32(digit)
            offset += 1
        }
        return value
    }

    /// A number: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
    private mutating func number(_ text: RawSpan) throws(ModelListError) {
        _ = takeIf(text, UInt8(ascii: "-"))
        if !takeIf(text, UInt8(ascii: "0")) { try digits(text, "a value") }
        if takeIf(text, UInt8(ascii: ".")) { try digits(text, "a digit") }
        if takeIf(text, UInt8(ascii: "e")) || takeIf(text, UInt8(ascii: "E")) {
            if !takeIf(text, UInt8(ascii: "+")) { _ = takeIf(text, UInt8(ascii: "-")) }
            try digits(text, "a digit")
        }
    }

    private mutating func digits(_ text: RawSpan, _ expected: String) throws(ModelListError) {
        let start = offset
        while let byte = peek(text), byte &- 0x30 < 10 { offset += 1 }
        if offset == start { throw error("expected \(expected)") }
    }

    private mutating func word(_ text: RawSpan, _ word: StaticString) throws(ModelListError) {
        for index in 0..<word.utf8CodeUnitCount where !takeIf(text, word.utf8Start[index]) {
            throw error("expected \(word)")
        }
    }

    private func enter(_ depth: Int) throws(ModelListError) {
        if depth > ModelListReader.depthMax { throw error("it is nested more than \(ModelListReader.depthMax) deep") }
    }

    private func peek(_ text: RawSpan) -> UInt8? {
        offset < text.byteCount ? text.unsafeLoad(fromByteOffset: offset, as: UInt8.self) : nil
    }

    private mutating func takeIf(_ text: RawSpan, _ byte: UInt8) -> Bool {
        guard peek(text) == byte else { return false }
        offset += 1
        return true
    }

    private mutating func take(_ text: RawSpan, _ byte: UInt8, _ expected: String) throws(ModelListError) {
        guard takeIf(text, byte) else { throw error("expected \(expected)") }
    }
}
