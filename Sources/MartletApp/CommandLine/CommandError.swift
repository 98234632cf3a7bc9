/// Why a command cannot do what it was told. The message is the whole answer to the user.
package struct CommandError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One or more full sentences.
    package let description: String

    /// Makes an error.
    package init(_ description: String) {
        self.description = description
    }
}
