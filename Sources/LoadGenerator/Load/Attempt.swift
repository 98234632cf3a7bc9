import NIOCore

/// A request on its way: what is sent, what is known of it, and the conversation that goes on when it has ended.
/// Confined to one event loop.
final class Attempt {
    /// The whole request: head and body.
    let bytes: ByteBuffer
    /// The talk that the request is of.
    var conversation: Conversation
    /// What became of it.
    var record: RequestRecord
    /// The run that it belongs to, so that one that was broken off gets nothing more.
    let runNumber: Int

    init(bytes: ByteBuffer, conversation: Conversation, scheduled: Int64, runNumber: Int) {
        self.bytes = bytes
        self.conversation = conversation
        record = RequestRecord(scheduled: scheduled)
        self.runNumber = runNumber
    }
}
