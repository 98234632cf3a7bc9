/// What the words behind a command ask for.
package enum CommandRequest: Sendable {
    /// To show this text.
    case help(String)
    /// To run this until SIGTERM or SIGINT.
    case run(@Sendable () async throws -> Void)
}
