/// What makes bytes no HTTP/1.1 message that can be read in one way only (RFC 9112).
package enum MessageFault: Error, Hashable {
    /// The header section has more bytes than this.
    case headerTooLong(limit: Int)
    /// The header section has more fields than this.
    case tooManyFields(limit: Int)
    /// The message has a transfer coding beside a length, or several lengths.
    case lengthInDoubt
    /// The version is another one: what the message says it is.
    case version(String)
    /// Anything else: what is wrong, as the end of a sentence.
    case malformed(String)
}
