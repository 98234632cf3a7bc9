extension StringProtocol {
    /// This text of a URL with its `%XX` escapes decoded; a broken escape stays as it is.
    ///
    /// - Parameter plusIsSpace: whether `+` stands for a space, as in queries.
    func percentDecoded(plusIsSpace: Bool) -> String {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(utf8.count)
        var rest = Substring(self).utf8[...]
        while let byte = rest.popFirst() {
            let digits = rest.prefix(2)
            if byte == UInt8(ascii: "%"), digits.count == 2, let value = UInt8(String(Substring(digits)), radix: 16) {
                decoded.append(value)
                rest = rest.dropFirst(2)
            } else {
                decoded.append(byte == UInt8(ascii: "+") && plusIsSpace ? UInt8(ascii: " ") : byte)
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }
}
