/// Frames as a client writes them, made without the engine's own code.
enum ClientBytes {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    /// The preface and empty settings.
    static let hello = preface + settings()

    static func frame(_ type: UInt8, flags: UInt8 = 0, _ stream: UInt32, _ payload: [UInt8] = []) -> [UInt8] {
        let length = payload.count
        return [UInt8(length >> 16 & 0xFF), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), type, flags]
            + number(stream) + payload
    }

    static func number(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func settings(_ settings: [(UInt8, UInt32)] = []) -> [UInt8] {
        frame(4, 0, settings.flatMap { [0, $0.0] + number($0.1) })
    }

    static func data(_ stream: UInt32, _ bytes: [UInt8], isLast: Bool = false, padding: Int? = nil) -> [UInt8] {
        let flags: UInt8 = (isLast ? 1 : 0) | (padding == nil ? 0 : 8)
        let head = padding.map { [UInt8($0)] } ?? []
        return frame(0, flags: flags, stream, head + bytes + [UInt8](repeating: 0, count: padding ?? 0))
    }

    static func headers(
        _ stream: UInt32,
        _ fields: [(String, String)] = request,
        isLast: Bool = false,
        isWhole: Bool = true
    ) -> [UInt8] {
        frame(1, flags: (isLast ? 1 : 0) | (isWhole ? 4 : 0), stream, block(fields))
    }

    static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] { frame(3, stream, number(code)) }
    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> [UInt8] { frame(8, stream, number(increment)) }
    static func ping(_ content: UInt8 = 7, isAck: Bool = false) -> [UInt8] {
        frame(6, flags: isAck ? 1 : 0, 0, [0, 0, 0, 0, 0, 0, 0, content])
    }

    static let request = [
        (":method", "POST"), (":scheme", "http"), (":path", "/svc/Method"), (":authority", "picker"),
        ("content-type", "application/grpc"), ("te", "trailers"),
    ]

    /// Literal fields without indexing and without Huffman's code.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0] + string($0.0) + string($0.1) }
    }

    static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var head: [UInt8] = [127]
        var rest = bytes.count - 127
        while rest >= 128 {
            head.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return head + [UInt8(rest)] + bytes
    }
}

/// A frame that the engine sent.
struct SentFrame: Equatable {
    let type: UInt8
    let flags: UInt8
    let stream: UInt32
    let payload: [UInt8]

    /// The error code of a RST_STREAM or GOAWAY.
    var code: UInt32? {
        switch type {
        case 3: Self.number(payload[...])
        case 7: Self.number(payload[4...])
        default: nil
        }
    }

    static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }

    /// The frames in `bytes`, which end with a whole one.
    static func all(_ bytes: [UInt8]) -> [SentFrame] {
        var rest = bytes[...]
        var frames: [SentFrame] = []
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let payload = Array(rest.dropFirst(9).prefix(length))
            frames.append(
                SentFrame(type: head[3], flags: head[4], stream: Self.number(head[5...]), payload: payload))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }
}
