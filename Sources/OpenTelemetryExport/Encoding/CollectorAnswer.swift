import NIOCore

/// What a collector says in a response that went well: OTLP's `ExportTraceServiceResponse`.
struct PartialSuccess: Hashable {
    /// The spans that the collector did not take.
    private(set) var rejectedSpans = 0
    /// Why, or what else it has to say; empty for nothing.
    private(set) var message = ""

    /// Everything was taken.
    init() {}

    /// Reads the message. What cannot be read says nothing.
    init(protobuf: some Sequence<UInt8>) {
        var response = ProtobufReader(protobuf)
        while let (field, value) = response.next() {
            guard field == 1, case .bytes(let part) = value else { continue }
            var partial = ProtobufReader(part)
            while let (field, value) = partial.next() {
                switch (field, value) {
                case (1, .number(let count)): rejectedSpans = Int(clamping: Int64(bitPattern: count))
                case (2, .bytes(let text)): message = String(decoding: text, as: UTF8.self)
                default: break
                }
            }
        }
    }
}

/// When a collector wants to be asked again: `google.rpc.RetryInfo` among the details of a `google.rpc.Status`.
enum RetryInfo {
    private static let typeName = "google.rpc.RetryInfo"
    /// The longest time that is believed.
    private static let longestSeconds: UInt64 = 3600

    /// The delay in the details of a status; `nil` when there is none.
    static func delay(inStatus bytes: some Sequence<UInt8>) -> TimeAmount? {
        var status = ProtobufReader(bytes)
        while let (field, value) = status.next() {
            guard field == 3, case .bytes(let detail) = value else { continue }
            if let delay = delay(inDetail: detail) { return delay }
        }
        return nil
    }

    private static func delay(inDetail bytes: ArraySlice<UInt8>) -> TimeAmount? {
        var any = ProtobufReader(bytes)
        var type = ""
        var content: ArraySlice<UInt8> = []
        while let (field, value) = any.next() {
            switch (field, value) {
            case (1, .bytes(let name)): type = String(decoding: name, as: UTF8.self)
            case (2, .bytes(let bytes)): content = bytes
            default: break
            }
        }
        guard type.hasSuffix("/" + typeName) else { return nil }
        var info = ProtobufReader(content)
        while let (field, value) = info.next() {
            if field == 1, case .bytes(let duration) = value { return amount(duration) }
        }
        return .zero
    }

    private static func amount(_ bytes: ArraySlice<UInt8>) -> TimeAmount {
        var duration = ProtobufReader(bytes)
        var nanoseconds: Int64 = 0
        while let (field, value) = duration.next() {
            guard case .number(let number) = value else { continue }
            if field == 1 { nanoseconds += Int64(min(number, longestSeconds)) * 1_000_000_000 }
            if field == 2 { nanoseconds += Int64(min(number, 999_999_999)) }
        }
        return .nanoseconds(nanoseconds)
    }
}
