import NIOCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Has the kernel ask a silent peer whether it is still there, so that a connection to one that vanished without a
/// word ends within half a minute, even while nothing is sent on it.
enum KeepAlive {
    /// The silence before the first question, in seconds.
    static let idle = 15
    /// The time between questions, in seconds.
    static let interval = 5
    /// How many questions without an answer end the connection.
    static let count = 3

    /// The options of the TCP level and their values.
    static var options: [(ChannelOptions.Types.SocketOption, SocketOptionValue)] {
        #if canImport(Darwin)
            let idleName = TCP_KEEPALIVE
        #else
            let idleName = TCP_KEEPIDLE
        #endif
        return [(idleName, idle), (TCP_KEEPINTVL, interval), (TCP_KEEPCNT, count)].map { name, value in
            (
                ChannelOptions.Types.SocketOption(level: .tcp, name: NIOBSDSocket.Option(rawValue: name)),
                SocketOptionValue(value)
            )
        }
    }

    /// Sets the options of a connection.
    static func enable(on channel: any Channel) -> EventLoopFuture<Void> {
        var done = channel.setOption(.socketOption(.so_keepalive), value: 1)
        for (option, value) in options {
            done = done.flatMap { channel.setOption(option, value: value) }
        }
        return done
    }
}
