/// The simulator's chat template: how a conversation becomes the tokens of a prompt.
///
/// Every part of it fills whole tokens. So the prompt of a conversation's next turn begins with the tokens of this
/// turn's prompt and answer, and finds their blocks in the cache, as it does with a real template and vocabulary.
enum PromptText {
    /// The tokens of a conversation, up to the point where the assistant speaks.
    static func tokens(of messages: [ChatMessage], system: String? = nil) -> [SimulatedToken] {
        var bytes: [UInt8] = []
        if let system {
            append(role: "system", text: system, to: &bytes)
        }
        for message in messages {
            append(role: message.role, text: message.content?.text ?? "", to: &bytes)
        }
        appendMark("assistant", to: &bytes)
        return SimulatedToken.tokens(of: bytes)
    }

    private static func append(role: String, text: String, to bytes: inout [UInt8]) {
        appendMark(role, to: &bytes)
        bytes.append(contentsOf: text.utf8)
        fillToken(&bytes)
        appendMark("end", to: &bytes)
    }

    private static func appendMark(_ name: String, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "<|\(name)|>\n".utf8)
        fillToken(&bytes)
    }

    private static func fillToken(_ bytes: inout [UInt8]) {
        while bytes.count % SimulatedToken.byteCount != 0 {
            bytes.append(0)
        }
    }
}
