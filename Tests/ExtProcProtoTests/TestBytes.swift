@testable import ExtProcProto

/// Fields of protobuf messages as bytes, for requests and whatever else only a peer writes.
enum Wire {
    static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    static func tag(_ number: UInt32, _ type: UInt8) -> [UInt8] {
        varint(UInt64(number) << 3 | UInt64(type))
    }

    static func number(_ field: UInt32, _ value: UInt64) -> [UInt8] {
        tag(field, WireType.varint) + varint(value)
    }

    static func bytes(_ field: UInt32, _ content: [UInt8]) -> [UInt8] {
        tag(field, WireType.bytes) + varint(UInt64(content.count)) + content
    }

    static func text(_ field: UInt32, _ content: String) -> [UInt8] {
        bytes(field, Array(content.utf8))
    }

    /// A HeaderMap in `field`.
    static func headerMap(_ field: UInt32, _ headers: [(String, String)]) -> [UInt8] {
        bytes(field, headers.flatMap { bytes(1, text(1, $0.0) + text(3, $0.1)) })
    }

    /// An entry of a map of structs in `field`.
    static func structEntry(_ field: UInt32, _ name: String, _ content: ProtobufStruct) -> [UInt8] {
        bytes(field, text(1, name) + bytes(2, content.encoded))
    }
}

extension ProtobufStruct {
    /// The message's bytes.
    var encoded: [UInt8] { written(size, append) }

    /// Reads a whole message.
    init(reading bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
        var budget = ValueBudget(limits)
        let reader = WireReader(.structure, in: bytes.span.bytes, limits: limits)
        try ProtobufStruct.check(reader, in: bytes.span.bytes, &budget)
        try self.init(reader, in: bytes.span.bytes)
    }
}

/// What `write` appends to room for exactly `count` bytes.
func written(_ count: Int, _ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: count)
    let initialized = bytes.withUnsafeMutableBytes { buffer in
        var output = OutputRawSpan(buffer: buffer, initializedCount: 0)
        write(&output)
        return output.finalize(for: buffer)
    }
    return Array(bytes[..<initialized])
}

extension ResponseHead {
    /// The head's bytes.
    var bytes: [UInt8] { written(byteCount, write) }
}

extension PieceHead {
    /// The head's bytes.
    var bytes: [UInt8] { written(byteCount, write) }
}

/// Reads a request.
func read(_ bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) -> ProcessingRequest {
    try ProcessingRequest(reading: bytes.span.bytes, limits: limits)
}

/// The error of reading a request; `nil` when it is read.
func refusal(_ bytes: [UInt8], limits: WireLimits = .standard) -> WireError? {
    do throws(WireError) {
        _ = try read(bytes, limits: limits)
        return nil
    } catch {
        return error
    }
}

/// A body of `count` bytes, the same in every run and in the oracle's script.
func bodyBytes(_ count: Int) -> [UInt8] {
    let period = (0..<256).map { UInt8(truncatingIfNeeded: 31 * $0 + 7) }
    var bytes: [UInt8] = []
    while bytes.count < count { bytes.append(contentsOf: period) }
    return Array(bytes[..<count])
}

/// The names and values of header fields.
func headers(_ fields: HeaderFields, in bytes: [UInt8]) -> [[String]] {
    var headers: [[String]] = []
    fields.forEach(in: bytes.span.bytes) { field in
        headers.append([bytes.span.bytes.text(field.name), bytes.span.bytes.text(field.value)])
    }
    return headers
}

// Macros of the testing library cannot take spans as arguments of a call.

extension HeaderFields {
    /// The value of the first field called `lowercasedName`.
    func value(_ lowercasedName: StaticString, of bytes: [UInt8]) -> String? {
        first(lowercasedName, in: bytes.span.bytes).map { bytes.span.bytes.text($0.value) }
    }
}

extension StructMap {
    /// The value called `key` in the struct called `name`.
    func value(_ name: String, _ key: String, of bytes: [UInt8]) -> ProtobufValue? {
        value(name, key, in: bytes.span.bytes)
    }

    /// The struct called `name`.
    func structure(_ name: String, of bytes: [UInt8]) -> ProtobufStruct? {
        structure(name, in: bytes.span.bytes)
    }
}

/// The service that a health request asks about.
func healthService(_ bytes: [UInt8]) throws(WireError) -> String {
    try HealthCheckRequest(reading: bytes.span.bytes).service
}

/// A small seeded generator (SplitMix64, Steele et al. 2014), so that every run meets the same inputs.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
