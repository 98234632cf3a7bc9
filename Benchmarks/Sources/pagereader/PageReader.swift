import NIOCore
import NIOPosix
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `pagereader INTERVAL_MILLISECONDS http://IPV4:PORT ...`: the least that fetching pages costs over SwiftNIO, for
/// comparison with a scraper.
///
/// One event loop asks each server for its page at a fixed pace over a kept-alive connection, and looks at nothing of
/// the answer but its length. Prints `pages N` once a second; runs until it is killed.
@main
struct PageReader {
    /// How many groups the servers are asked in within an interval, as the scraper does, so that answers do not wait
    /// for each other.
    private static let groupCount = 8

    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        guard let interval = arguments.first.flatMap(Int64.init), interval > 0 else {
            print("usage: pagereader INTERVAL_MILLISECONDS http://IPV4:PORT ...")
            return
        }
        let loop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
        let count = PageCount()
        var channels: [any Channel] = []
        for url in arguments.dropFirst() {
            channels.append(try await connect(to: url, loop: loop, count: count))
        }
        let groups = (0..<groupCount).map { group in
            channels.indices.filter { $0 % groupCount == group }.map { channels[$0] }
        }
        for (number, group) in groups.enumerated() {
            let phase = TimeAmount.microseconds(interval * 1_000 * Int64(number) / Int64(groupCount))
            loop.scheduleRepeatedTask(initialDelay: phase, delay: .milliseconds(interval)) { _ in
                for channel in group { channel.pipeline.fireUserInboundEventTriggered(Ask()) }
            }
        }
        loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
            print("pages \(count.value.load(ordering: .relaxed))")
            fflush(nil)
        }
        try await channels.first?.closeFuture.get()
    }

    private static func connect(to url: String, loop: any EventLoop, count: PageCount) async throws -> any Channel {
        let authority = url.dropFirst("http://".count)
        guard let colon = authority.lastIndex(of: ":"), let port = Int(authority[colon...].dropFirst()) else {
            fatalError("pagereader: '\(url)' is not http://IPV4:PORT")
        }
        let request = ByteBuffer(string: "GET /metrics HTTP/1.1\r\nhost: \(authority)\r\n\r\n")
        return try await ClientBootstrap(group: loop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .recvAllocator,
                value: AdaptiveRecvByteBufferAllocator(minimum: 2_048, initial: 65_536, maximum: 262_144)
            )
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(PageHandler(request: request, count: count))
                }
            }
            .connect(to: SocketAddress(ipAddress: String(authority[..<colon]), port: port))
            .get()
    }
}

/// Asks for the page now.
struct Ask: Sendable {}

/// Pages that were read whole.
final class PageCount: Sendable {
    let value = Atomic<Int>(0)
}

/// Asks one server, and counts its pages.
final class PageHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let request: ByteBuffer
    private let count: PageCount
    private var isAsked = false
    /// The bytes of the answer that are still to come; `nil` before its head came.
    private var left: Int?

    init(request: ByteBuffer, count: PageCount) {
        self.request = request
        self.count = count
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is Ask, !isAsked else { return }
        isAsked = true
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let piece = unwrapInboundIn(data)
        let expected = left ?? Self.messageLength(piece)
        let rest = expected - piece.readableBytes
        left = rest > 0 ? rest : nil
        guard rest <= 0 else { return }
        isAsked = false
        count.value.wrappingAdd(1, ordering: .relaxed)
    }

    /// The length of head and body. The head of the benchmark's pages comes in one piece.
    private static func messageLength(_ piece: ByteBuffer) -> Int {
        piece.withUnsafeReadableBytes { bytes in
            let name = Array("\r\ncontent-length:".utf8)
            var length = 0
            var place = 0
            while place + 4 <= bytes.count {
                if bytes[place] == 13, bytes[place + 1] == 10 {
                    if bytes[place + 2] == 13, bytes[place + 3] == 10 { return place + 4 + length }
                    let isLength = name.indices.allSatisfy {
                        place + $0 < bytes.count && bytes[place + $0] | 0x20 == name[$0] | 0x20
                    }
                    if isLength {
                        var digit = place + name.count
                        while digit < bytes.count, bytes[digit] != 13 {
                            if bytes[digit] != 32 { length = length * 10 + Int(bytes[digit] & 0x0F) }
                            digit += 1
                        }
                    }
                }
                place += 1
            }
            fatalError("pagereader: the head of a page did not come in one piece")
        }
    }
}
