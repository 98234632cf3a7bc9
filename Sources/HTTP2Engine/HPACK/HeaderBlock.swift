/// What is wrong with the fields of a header block that could be decoded. It ends the stream, not the connection.
package enum HeaderFault: Hashable, Sendable {
    /// A name with capital letters or other bytes that no name has.
    case invalidName
    /// A value with bytes that no value has, or white space around it.
    case invalidValue
    /// A pseudo-header that no request has, or any in trailers.
    case foreignPseudoHeader
    /// A pseudo-header twice.
    case repeatedPseudoHeader
    /// A pseudo-header behind another field.
    case misplacedPseudoHeader
    /// A request without one of its pseudo-headers, or with an empty one.
    case missingPseudoHeader
    /// A field about the connection.
    case connectionSpecificField
    /// A `content-length` that is no number, or another number than before.
    case invalidContentLength
}

/// The fields of a header block: bytes, and where what gRPC needs of them stands. Reused from one block to the next.
package struct HeaderBlock {
    /// Where a field stands; its value follows its name.
    struct Field {
        let start: Int
        let nameCount: Int
        let valueCount: Int

        var name: Range<Int> { start..<start &+ nameCount }
        var value: Range<Int> { start &+ nameCount..<start &+ nameCount &+ valueCount }
    }

    /// Arrays above this many bytes are not kept for the next block.
    private static let keptBytes = 16 << 10

    var bytes: [UInt8] = []
    private(set) var fields: [Field] = []
    private(set) var fault: HeaderFault?
    /// The size of the list so far as RFC 9113, 6.5.2, counts it.
    private(set) var listSize = 0
    private var pseudoHeaders: UInt8 = 0
    private var hasRegularFields = false

    /// Whether the list is larger than the limit: what is beyond it is not there.
    private(set) var isTooLarge = false
    /// `:method`; empty when there is none.
    private(set) var method = 0..<0
    /// `:path`; empty when there is none.
    private(set) var path = 0..<0
    private var scheme = 0..<0
    private var contentTypePlace = 0..<0
    /// `content-length`.
    private(set) var contentLength: Int?

    init() {}

    // MARK: Reading

    /// The number of fields.
    package var count: Int { fields.count }

    /// The name and the value of a field.
    /// - Parameter position: from 0 to below ``count``.
    package func field(_ position: Int) -> (name: String, value: String) {
        (text(fields[position].name), text(fields[position].value))
    }

    /// Whether `:path` is `text`.
    package func isPath(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { text in
            guard text.count == path.count else { return false }
            for index in 0..<text.count where bytes[path.lowerBound &+ index] != text[index] { return false }
            return true
        }
    }

    /// `:path`; empty when there is none.
    package var pathText: String { text(path) }
    /// Whether `content-type` begins with `application/grpc`.
    package var isGRPC: Bool { bytes.span.bytes.begins(contentTypePlace, with: "application/grpc") }

    /// The value of the first field with this name, which must be in lower case; `nil` when there is none.
    package func value(of name: StaticString) -> String? {
        fields.first { $0.nameCount == name.utf8CodeUnitCount && bytes.span.bytes.begins($0.name, with: name) }
            .map { text($0.value) }
    }

    private func text(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    // MARK: Filling

    /// Empties the block for the next one.
    mutating func begin() {
        if bytes.capacity > Self.keptBytes { bytes = [] } else { bytes.removeAll(keepingCapacity: true) }
        if fields.capacity > 256 { fields = [] } else { fields.removeAll(keepingCapacity: true) }
        fault = nil
        listSize = 0
        pseudoHeaders = 0
        hasRegularFields = false
        isTooLarge = false
        method = 0..<0
        path = 0..<0
        scheme = 0..<0
        contentTypePlace = 0..<0
        contentLength = nil
    }

    /// Counts a field; whether it is within the limit and may be added.
    @inline(__always)
    mutating func admit(nameCount: Int, valueCount: Int, limit: Int) -> Bool {
        listSize &+= nameCount &+ valueCount &+ DynamicTable.entryOverhead
        if listSize > limit { isTooLarge = true }
        return !isTooLarge
    }

    /// Adds the field whose bytes are the last ones of ``bytes``, from `start`.
    mutating func add(_ kind: FieldKind, start: Int, nameCount: Int, fault fieldFault: HeaderFault?) {
        let field = Field(start: start, nameCount: nameCount, valueCount: bytes.count &- start &- nameCount)
        fields.append(field)
        if let fieldFault { note(fieldFault) }
        if kind.isPseudo {
            addPseudo(kind, field.value)
        } else {
            hasRegularFields = true
            if kind != .other { addKnown(kind, field.value) }
        }
    }

    /// Keeps the first fault.
    mutating func note(_ fault: HeaderFault) {
        if self.fault == nil { self.fault = fault }
    }

    private mutating func addPseudo(_ kind: FieldKind, _ value: Range<Int>) {
        if kind == .foreignPseudo { note(.foreignPseudoHeader) }
        if hasRegularFields { note(.misplacedPseudoHeader) }
        let bit: UInt8 = 1 &<< kind.rawValue
        if pseudoHeaders & bit != 0 { note(.repeatedPseudoHeader) }
        pseudoHeaders |= bit
        switch kind {
        case .method: method = value
        case .path: path = value
        case .scheme: scheme = value
        default: break
        }
    }

    private mutating func addKnown(_ kind: FieldKind, _ value: Range<Int>) {
        switch kind {
        case .contentType: contentTypePlace = value
        case .te:
            if !bytes.span.bytes.isEqual(value, "trailers") { note(.connectionSpecificField) }
        case .connectionSpecific: note(.connectionSpecificField)
        case .contentLength:
            let length = number(value)
            if length == nil || contentLength != nil && contentLength != length { note(.invalidContentLength) }
            contentLength = length
        default: break
        }
    }

    private func number(_ range: Range<Int>) -> Int? {
        guard !range.isEmpty, range.count <= 18 else { return nil }
        var number = 0
        for offset in range {
            let byte = bytes[offset]
            guard 0x30...0x39 ~= byte else { return nil }
            number = number &* 10 &+ Int(byte &- 0x30)
        }
        return number
    }

    // MARK: Checking

    /// Checks what a request must have (RFC 9113, 8.3.1).
    mutating func finishRequest() {
        let isConnect = bytes.span.bytes.isEqual(method, "CONNECT")
        let has: (FieldKind) -> Bool = { [pseudoHeaders] in pseudoHeaders & (1 &<< $0.rawValue) != 0 }
        let isWhole =
            isConnect
            ? has(.authority) && !has(.path) && !has(.scheme)
            : !method.isEmpty && !path.isEmpty && !scheme.isEmpty
        if !isWhole { note(.missingPseudoHeader) }
    }

    /// Checks what trailers must not have.
    mutating func finishTrailers() {
        if pseudoHeaders != 0 { note(.foreignPseudoHeader) }
    }
}
