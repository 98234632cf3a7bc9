extension HeaderMap {
    /// Whether a `prefer` field names `preference`, an ASCII token in lower case (RFC 7240). Tokens are compared
    /// without regard to case; values and parameters of preferences are passed over.
    public func hasPreference(_ preference: StaticString) -> Bool {
        withFields { bytes, places in
            for place in places {
                guard UnsafeRawBufferPointer(rebasing: bytes[place.name]).equalsIgnoringASCIICase("prefer") else {
                    continue
                }
                if PreferenceList(UnsafeRawBufferPointer(rebasing: bytes[place.value])).contains(preference) {
                    return true
                }
            }
            return false
        }
    }
}

/// The value of a `prefer` field: preferences with commas between them, each a token with an optional value, and
/// parameters behind semicolons. Commas within quotes belong to a value.
private struct PreferenceList {
    private let bytes: UnsafeRawBufferPointer

    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
    }

    func contains(_ preference: StaticString) -> Bool {
        var position = 0
        while position < bytes.count {
            let end = elementEnd(from: position)
            if token(in: position..<end).equalsIgnoringASCIICase(preference) { return true }
            position = end + 1
        }
        return false
    }

    /// The position of the comma that ends the element from `start` on, or the end of the list.
    private func elementEnd(from start: Int) -> Int {
        var isQuoted = false
        var position = start
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\""): isQuoted.toggle()
            case UInt8(ascii: "\\") where isQuoted: position += 1
            case UInt8(ascii: ",") where !isQuoted: return position
            default: break
            }
            position += 1
        }
        return bytes.count
    }

    /// The token that an element begins with.
    private func token(in element: Range<Int>) -> UnsafeRawBufferPointer {
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        let start = element.first { !isSpace(bytes[$0]) } ?? element.upperBound
        let rest = start..<element.upperBound
        let end = rest.first { position in
            isSpace(bytes[position]) || bytes[position] == UInt8(ascii: "=") || bytes[position] == UInt8(ascii: ";")
        }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<(end ?? element.upperBound)])
    }
}
