/// The media type of a body, from its `Content-Type`, as far as the gateway tells bodies apart.
package struct MediaType: Sendable {
    /// The most bytes of a boundary (RFC 2046, 5.1.1).
    static let boundaryBytesMax = 70

    /// Type and subtype in lower case, such as `application/json`; anything for a value that is no media type.
    package let essence: String
    /// The boundary of a `multipart/form-data` body; `nil` for any other type, and when there is not exactly one or it
    /// is not what RFC 2046 allows.
    package let boundary: String?

    /// Reads the value of a `Content-Type` field.
    package init(_ contentType: String) {
        let contentType = contentType.drop { $0 == " " || $0 == "\t" }
        let field = ParameterizedField(contentType.utf8Span.span.bytes)
        essence = field.value
        let boundary = field.value == "multipart/form-data" && field.isWhole ? field.only("boundary") : nil
        self.boundary = boundary.flatMap { Self.isBoundary($0) ? $0 : nil }
    }

    /// Whether the body is JSON: `application/json`, `text/json`, or a type with the suffix `+json`.
    package var isJSON: Bool {
        essence == "application/json" || essence == "text/json" || essence.hasSuffix("+json")
    }

    /// Whether the body is a form with parts.
    package var isForm: Bool { essence == "multipart/form-data" }

    /// Whether a text is a boundary: 1 to 70 visible ASCII characters, and spaces except at the end. More characters
    /// than RFC 2046 names are taken, for some clients use them; what ends a line is not.
    private static func isBoundary(_ text: String) -> Bool {
        let bytes = text.utf8
        guard !bytes.isEmpty, bytes.count <= boundaryBytesMax, bytes.last != 0x20 else { return false }
        return bytes.allSatisfy { 0x20...0x7E ~= $0 }
    }
}
