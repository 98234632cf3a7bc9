/// The frame of a message in the body of a gRPC call: a flag, 0 for a message that is not compressed, and its length in
/// four bytes, the highest first.
enum GRPCFrame {
    /// The number of bytes in front of a message.
    static let prefixLength = 5

    /// Where the only message of a call's body stands.
    ///
    /// - Throws: ``FormatError`` `invalidFrame`, when the body is anything else than one whole message that is not
    ///   compressed. The error's text begins with the words that the llm-d endpoint picker has for it.
    static func onlyMessage(in bytes: RawSpan) throws(FormatError) -> Range<Int> {
        guard bytes.byteCount >= prefixLength else {
            throw fault("the frame has \(bytes.byteCount) of \(prefixLength) bytes", at: bytes.byteCount)
        }
        guard bytes.byte(at: 0) == 0 else {
            let flag = bytes.byte(at: 0)
            throw fault(flag == 1 ? "the message is compressed" : "the frame's flag is \(flag)", at: 0)
        }
        var length = 0
        for index in 1..<prefixLength { length = length << 8 | Int(bytes.byte(at: index)) }
        let rest = bytes.byteCount - prefixLength
        guard length == rest else {
            throw fault("the frame announces \(length) bytes and \(rest) follow", at: 1)
        }
        return prefixLength..<bytes.byteCount
    }

    private static func fault(_ message: String, at offset: Int) -> FormatError {
        FormatError(.invalidFrame, "invalid or unsupported gRPC payload: \(message)", byteOffset: offset)
    }
}
