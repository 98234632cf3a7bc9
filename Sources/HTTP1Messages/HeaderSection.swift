package import GatewayCore

/// Takes the header section of an HTTP/1.1 message apart, line by line, as its bytes come (RFC 9112, 2 and 5).
///
/// Strict: what two readers could understand differently is a fault. Lines end with CR LF, a name stands directly
/// before its colon, nothing is folded. A plain value that keeps offsets only: the caller keeps the bytes, from the
/// section's first one on, and shows them again, with more, until the section is whole.
package struct HeaderSection {
    private let bytesMax: Int
    private let fieldsMax: Int
    /// Whether empty lines before the start line are passed over (RFC 9112, 2.2: servers should).
    private let skipsEmptyLines: Bool

    /// The first line, once it is whole.
    package private(set) var startLine: Range<Int>?
    /// The fields of the lines that are whole.
    package private(set) var places: [HeaderMap.Place] = []
    private var lineStart = 0
    private var scanned = 0

    /// Whether nothing but empty lines has come, which some clients send behind a request.
    package var hasOnlyEmptyLines: Bool { startLine == nil && lineStart > 0 && lineStart == scanned }

    /// A section of which nothing has come.
    ///
    /// - Parameters:
    ///   - bytesMax: the most bytes of the section.
    ///   - fieldsMax: the most fields of it.
    ///   - skipsEmptyLines: whether empty lines before the start line are passed over.
    package init(bytesMax: Int, fieldsMax: Int, skipsEmptyLines: Bool) {
        self.bytesMax = bytesMax
        self.fieldsMax = fieldsMax
        self.skipsEmptyLines = skipsEmptyLines
    }

    /// Goes on reading.
    ///
    /// - Parameter bytes: everything from the section's first byte on; what was there before is unchanged.
    /// - Returns: the length of the section with the empty line at its end; `nil` when more bytes are needed.
    package mutating func read(_ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> Int? {
        while let end = bytes.lineFeed(from: scanned) {
            guard end > lineStart, bytes[end - 1] == ASCII.carriageReturn else {
                throw .malformed("a line of the header ends with a line feed alone")
            }
            let line = lineStart..<end - 1
            scanned = end + 1
            lineStart = scanned
            guard lineStart <= bytesMax else { throw .headerTooLong(limit: bytesMax) }
            if !line.isEmpty {
                if startLine == nil { startLine = line } else { try readField(line, bytes) }
            } else if startLine != nil {
                return lineStart
            } else if !skipsEmptyLines {
                throw .malformed("the header begins with an empty line")
            }
        }
        scanned = bytes.count
        guard bytes.count <= bytesMax else { throw .headerTooLong(limit: bytesMax) }
        // What cannot become a start line is not waited for.
        if startLine == nil, lineStart < bytes.count {
            let first = bytes[lineStart]
            guard first.isTokenByte || first == ASCII.carriageReturn else {
                throw .malformed("the first line begins with the byte \(first)")
            }
        }
        return nil
    }

    private mutating func readField(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(MessageFault) {
        let place = try Self.field(line, bytes)
        guard places.count < fieldsMax else { throw .tooManyFields(limit: fieldsMax) }
        if places.isEmpty { places.reserveCapacity(16) }
        places.append(place)
    }

    /// Reads one line with a field (RFC 9112, 5).
    static func field(_ line: Range<Int>, _ bytes: UnsafeRawBufferPointer) throws(MessageFault) -> HeaderMap.Place {
        var colon = line.lowerBound
        while colon < line.upperBound, bytes[colon].isTokenByte { colon &+= 1 }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == ASCII.colon else {
            throw .malformed("a line of the header is not a name, a colon and a value")
        }
        let value = bytes.trimmed(colon + 1..<line.upperBound)
        guard !bytes.hasForbiddenInValue(value) else {
            throw .malformed("the value of a header field has a control character")
        }
        return HeaderMap.Place(name: line.lowerBound..<colon, value: value)
    }
}
