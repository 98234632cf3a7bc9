/// The end of a call.
package struct HTTP2CallEnd: Hashable, Sendable {
    /// `grpc-status`.
    package let status: Int
    /// `grpc-message`, escaped already; none when it is empty.
    package let message: [UInt8]
    /// Whether the client is told that messages must not be compressed.
    package let refusesEncodings: Bool

    /// Makes an end; see the properties. More than 1 KiB of `message` are cut off.
    package init(status: Int, message: [UInt8] = [], refusesEncodings: Bool = false) {
        self.status = status
        self.refusesEncodings = refusesEncodings
        guard message.count > Self.messageBytesMax else {
            self.message = message
            return
        }
        // Not within `%XX`.
        let percent = UInt8(ascii: "%")
        let kept = message[..<Self.messageBytesMax]
        let cut = kept.suffix(2).firstIndex(of: percent) ?? kept.endIndex
        self.message = Array(kept[..<cut])
    }

    /// A header block must fit a frame of any client, and many ends may wait for one that takes nothing.
    private static let messageBytesMax = 1 << 10
}

/// The header blocks of gRPC's responses, without the dynamic table: nothing of it has to be kept, and the peer may
/// allow one of any size.
enum ResponseFields {
    /// `:status: 200` by its index, and `content-type: application/grpc` with the name's index.
    static let begin: [UInt8] = [0x88, 0x0F, 0x10, 16] + Array("application/grpc".utf8)

    private static let status = literalName("grpc-status")
    private static let message = literalName("grpc-message")
    private static let identity = literalName("grpc-accept-encoding") + [8] + Array("identity".utf8)

    private static func literalName(_ name: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + Array(name.utf8)
    }

    /// Appends a block of trailers.
    static func append(_ end: HTTP2CallEnd, to output: inout [UInt8]) {
        output += status
        if 0..<10 ~= end.status {
            output.append(1)
            output.append(0x30 &+ UInt8(truncatingIfNeeded: end.status))
        } else {
            append(Array(String(end.status).utf8), to: &output)
        }
        if !end.message.isEmpty {
            output += message
            append(end.message, to: &output)
        }
        if end.refusesEncodings { output += identity }
    }

    /// Appends a string without Huffman's code.
    private static func append(_ text: [UInt8], to output: inout [UInt8]) {
        if text.count < 0x7F {
            output.append(UInt8(text.count))
        } else {
            output.append(0x7F)
            var rest = text.count - 0x7F
            while rest >= 0x80 {
                output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
                rest >>= 7
            }
            output.append(UInt8(rest))
        }
        output += text
    }
}
