/// Frames of a client that knows little HTTP/2, and those that it receives.
enum ClientFrames {
    static let hello = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(4, 0, [])
    static let ping = frame(6, 0, [UInt8](repeating: 1, count: 8))

    static func frame(_ type: UInt8, flags: UInt8 = 0, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        number(UInt32(payload.count)).dropFirst() + [type, flags] + number(stream) + payload
    }

    static func number(_ value: UInt32) -> [UInt8] {
        [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    static func headers(_ stream: UInt32, path: String) -> [UInt8] {
        let fields = [
            (":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "a"),
            ("content-type", "application/grpc"), ("te", "trailers"),
        ]
        var block: [UInt8] = []
        for (name, value) in fields {
            block += [0, UInt8(name.utf8.count)] + Array(name.utf8) + [UInt8(value.utf8.count)] + Array(value.utf8)
        }
        return frame(1, flags: 4, stream, block)
    }

    static func data(_ stream: UInt32, _ bytes: [UInt8], isLast: Bool = false) -> [UInt8] {
        frame(0, flags: isLast ? 1 : 0, stream, bytes)
    }

    static func windowUpdate(_ stream: UInt32, _ increment: UInt32) -> [UInt8] {
        frame(8, stream, number(increment))
    }

    struct Received {
        let type: UInt8
        let flags: UInt8
        let stream: UInt32
        let length: Int
        let payload: [UInt8]
    }

    /// The whole frames in `bytes`.
    static func all(_ bytes: ArraySlice<UInt8>) -> [Received] {
        var frames: [Received] = []
        var offset = bytes.startIndex
        func number(_ at: Int, _ count: Int) -> Int { bytes[at..<at + count].reduce(0) { $0 << 8 | Int($1) } }
        while offset + 9 <= bytes.endIndex {
            let length = number(offset, 3)
            guard offset + 9 + length <= bytes.endIndex else { break }
            frames.append(
                Received(
                    type: bytes[offset + 3], flags: bytes[offset + 4], stream: UInt32(number(offset + 5, 4)),
                    length: length, payload: Array(bytes[offset + 9..<offset + 9 + length])))
            offset += 9 + length
        }
        return frames
    }

    /// How many bytes of DATA have come on a stream.
    static func dataBytes(_ bytes: ArraySlice<UInt8>, _ stream: UInt32) -> Int {
        all(bytes).reduce(0) { $0 + ($1.type == 0 && $1.stream == stream ? $1.length : 0) }
    }
}
