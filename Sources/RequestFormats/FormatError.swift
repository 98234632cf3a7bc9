/// Why the bytes of a request are not what their API requires. The client's fault: its answer is 400.
package struct FormatError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kinds of fault.
    package enum Code: Hashable, Sendable, CaseIterable {
        /// No configured parser knows the path.
        case unknownPath
        /// The body is not one JSON document in valid UTF-8.
        case invalidJSON
        /// The body nests objects and arrays deeper than the limit.
        case nestedTooDeeply
        /// The body is not one whole gRPC message without compression.
        case invalidFrame
        /// The body's gRPC message is not protobuf.
        case invalidMessage
        /// A field that the gateway reads occurs twice, so that a model server might read the other one.
        case duplicateField
        /// A field has the wrong type or a value that its API does not know.
        case invalidField
        /// A field that the API requires is absent or empty.
        case missingField
    }

    /// The kind of fault.
    package let code: Code
    /// One sentence for the client.
    package let message: String
    /// Where in the body the fault stands, in bytes from its start; `nil` when it stands nowhere, as an absent field.
    package let byteOffset: Int?
    /// The top-level field at fault, such as `messages`; `nil` when there is none.
    package let parameter: String?

    /// Makes an error; see the properties.
    package init(_ code: Code, _ message: String, byteOffset: Int? = nil, parameter: String? = nil) {
        self.code = code
        self.message = message
        self.byteOffset = byteOffset
        self.parameter = parameter
    }

    /// The error for a path that no parser of a set claims.
    package static func unknownPath(_ path: String) -> FormatError {
        FormatError(.unknownPath, "no parser registered matching path suffix for: \(path)")
    }

    /// The message, and the byte offset when there is one.
    package var description: String {
        guard let byteOffset else { return message }
        return "\(message) (byte \(byteOffset))"
    }
}
