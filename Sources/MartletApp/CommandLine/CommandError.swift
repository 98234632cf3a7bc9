import EngineClient
import GatewayCore

/// Why a command cannot do what it was told. The message is the whole answer to the user.
package struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One or more full sentences.
    package let description: String

    /// Makes an error.
    package init(_ description: String) {
        self.description = description
    }
}

extension OutboundResponse {
    /// The body as text.
    var text: String {
        body.withBytes { bytes in bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
    }
}

extension CommandError {
    /// What a gateway that answers with status 401 wants.
    init(asksWhoReads response: OutboundResponse) {
        self.init("The gateway asks who reads it: \(response.text.trimmingWhitespace()); give it by --token.")
    }
}
