/// The types of frames (RFC 9113, 6).
enum FrameType {
    static let data: UInt8 = 0x0
    static let headers: UInt8 = 0x1
    static let priority: UInt8 = 0x2
    static let reset: UInt8 = 0x3
    static let settings: UInt8 = 0x4
    static let pushPromise: UInt8 = 0x5
    static let ping: UInt8 = 0x6
    static let goAway: UInt8 = 0x7
    static let windowUpdate: UInt8 = 0x8
    static let continuation: UInt8 = 0x9
}

/// The flags of frames.
enum FrameFlags {
    static let ack: UInt8 = 0x1
    static let endStream: UInt8 = 0x1
    static let endHeaders: UInt8 = 0x4
    static let padded: UInt8 = 0x8
    static let priority: UInt8 = 0x20
}

/// The head of a frame.
struct FrameHead {
    /// Its length in bytes.
    static let byteCount = 9

    let length: Int
    let type: UInt8
    let flags: UInt8
    let stream: UInt32

    /// Reads the head at `offset`; all of it must lie within the bytes.
    @inline(__always)
    init(_ bytes: RawSpan, at offset: Int) {
        let first = bytes.number32(at: offset)
        length = Int(first &>> 8)
        type = UInt8(truncatingIfNeeded: first)
        flags = bytes.byte(at: offset &+ 4)
        stream = bytes.number32(at: offset &+ 5) & 0x7FFF_FFFF
    }

    @inline(__always)
    func has(_ flag: UInt8) -> Bool { flags & flag != 0 }
}

/// The settings (RFC 9113, 6.5.2).
enum SettingNumber {
    static let headerTableSize = 0x1
    static let enablePush = 0x2
    static let maxConcurrentStreams = 0x3
    static let initialWindowSize = 0x4
    static let maxFrameSize = 0x5
    static let maxHeaderListSize = 0x6
}

/// The numbers of the protocol.
enum HTTP2Numbers {
    /// What a client says first.
    static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    /// The window of a connection, and of a stream that no setting speaks of.
    static let initialWindow = 65_535
    static let largestWindow = 0x7FFF_FFFF
    static let smallestMaxFrame = 16_384
    static let largestMaxFrame = 16_777_215
    static let largestStream: UInt32 = 0x7FFF_FFFF
}

/// Writing frames.
extension [UInt8] {
    /// Appends the head of a frame.
    @inline(__always)
    mutating func append(frame type: UInt8, flags: UInt8, length: Int, stream: UInt32) {
        append(number32: UInt32(truncatingIfNeeded: length) &<< 8 | UInt32(type))
        append(flags)
        append(number32: stream)
    }

    mutating func appendReset(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        append(frame: FrameType.reset, flags: 0, length: 4, stream: stream)
        append(number32: code.rawValue)
    }

    mutating func appendWindowUpdate(_ stream: UInt32, _ increment: Int) {
        append(frame: FrameType.windowUpdate, flags: 0, length: 4, stream: stream)
        append(number32: UInt32(truncatingIfNeeded: increment))
    }

    mutating func appendPing(_ content: UInt64, isAck: Bool) {
        append(frame: FrameType.ping, flags: isAck ? FrameFlags.ack : 0, length: 8, stream: 0)
        append(number32: UInt32(truncatingIfNeeded: content &>> 32))
        append(number32: UInt32(truncatingIfNeeded: content))
    }

    mutating func appendGoAway(last: UInt32, _ code: HTTP2ErrorCode) {
        append(frame: FrameType.goAway, flags: 0, length: 8, stream: 0)
        append(number32: last)
        append(number32: code.rawValue)
    }

    mutating func appendSettings(_ settings: [(number: Int, value: Int)]) {
        append(frame: FrameType.settings, flags: 0, length: 6 * settings.count, stream: 0)
        for (number, value) in settings {
            append(UInt8(truncatingIfNeeded: number &>> 8))
            append(UInt8(truncatingIfNeeded: number))
            append(number32: UInt32(truncatingIfNeeded: value))
        }
    }
}
