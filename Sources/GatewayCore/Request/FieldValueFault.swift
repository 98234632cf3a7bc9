/// Why a text must not become the value of a header field.
package enum FieldValueFault: Hashable, Sendable {
    /// The most bytes that the gateway makes a header field of. Names of models are far shorter; they also become
    /// labels of metrics and parts of messages.
    package static let bytesMax = 1024

    /// It has more than ``bytesMax`` bytes.
    case tooLong(byteCount: Int)
    /// It has a byte that a field must not have (RFC 9110, 5.5): a line break in a value would end the field, and the
    /// rest would be read as further fields or as another request.
    case controlCharacter(UInt8)

    /// The fault of `text`; `nil` when it has none.
    package init?(_ text: String) {
        let byteCount = text.utf8.count
        if byteCount > Self.bytesMax {
            self = .tooLong(byteCount: byteCount)
        } else if let byte = text.utf8.first(where: { $0 < 0x20 || $0 == 0x7F }) {
            self = .controlCharacter(byte)
        } else {
            return nil
        }
    }
}
