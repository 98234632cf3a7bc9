#if canImport(Glibc)
    import Glibc

    /// Reads pages on one thread with epoll.
    struct Reader {
        private struct Connection {
            let socket: Int32
            let request: [UInt8]
            /// The bytes of the answer that are still to come; `nil` before its head.
            var left: Int?
            /// The head, while it is not whole.
            var head: [UInt8] = []
        }

        /// How many groups the servers are asked in within an interval, so that answers do not wait for each other.
        private static let groups = 8

        private let interval: Int
        private let poll: Int32
        private var connections: [Connection] = []
        private var buffer = [UInt8](repeating: 0, count: 256 << 10)
        private var pages = 0

        init(servers: [Server], intervalMilliseconds: Int) throws(ReaderError) {
            interval = intervalMilliseconds
            poll = epoll_create1(0)
            for server in servers { try connect(server) }
        }

        private mutating func connect(_ server: Server) throws(ReaderError) {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = server.port.bigEndian
            inet_pton(AF_INET, server.host, &address.sin_addr)
            let result = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            guard descriptor >= 0, result == 0 else {
                throw ReaderError("cannot connect to \(server.host):\(server.port)")
            }
            let request = "GET /metrics HTTP/1.1\r\nhost: \(server.host):\(server.port)\r\n\r\n"
            var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(u64: UInt64(connections.count)))
            epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event)
            connections.append(Connection(socket: descriptor, request: Array(request.utf8)))
        }

        mutating func run() throws(ReaderError) {
            let start = Self.milliseconds()
            var tick = 0
            var nextReport = 1_000
            while true {
                for index in connections.indices where index % Self.groups == tick % Self.groups { ask(index) }
                tick += 1
                let due = tick * interval / Self.groups
                while true {
                    let wait = due - (Self.milliseconds() - start)
                    if wait <= 0 { break }
                    try readWhatCame(within: wait)
                }
                if due >= nextReport {
                    print("pages \(pages)")
                    fflush(nil)
                    nextReport += 1_000
                }
            }
        }

        /// Sends the question, unless the last one is not answered yet.
        private mutating func ask(_ index: Int) {
            guard connections[index].left == nil, connections[index].head.isEmpty else { return }
            let connection = connections[index]
            _ = connection.request.withUnsafeBytes { send(connection.socket, $0.baseAddress, $0.count, 0) }
        }

        private mutating func readWhatCame(within milliseconds: Int) throws(ReaderError) {
            var events = [epoll_event](repeating: epoll_event(), count: 64)
            let count = epoll_wait(poll, &events, Int32(events.count), Int32(milliseconds))
            for event in events.prefix(max(0, Int(count))) { try read(Int(event.data.u64)) }
        }

        private mutating func read(_ index: Int) throws(ReaderError) {
            let count = buffer.withUnsafeMutableBytes { recv(connections[index].socket, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { throw ReaderError("a server closed its connection") }
            if let left = connections[index].left {
                finish(index, left: left - count)
            } else {
                connections[index].head += buffer[..<count]
                guard let total = Self.messageLength(connections[index].head) else { return }
                let present = connections[index].head.count
                connections[index].head = []
                finish(index, left: total - present)
            }
        }

        private mutating func finish(_ index: Int, left: Int) {
            connections[index].left = left > 0 ? left : nil
            if left <= 0 { pages += 1 }
        }

        /// The length of head and body by the head's `content-length`; `nil` while the head is not whole.
        private static func messageLength(_ bytes: [UInt8]) -> Int? {
            let text = String(decoding: bytes.prefix(2_048), as: UTF8.self)
            guard let end = text.utf8.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
            let head = String(text[..<end.lowerBound]).lowercased()
            guard let field = head.utf8.firstRange(of: Array("content-length:".utf8)) else { return nil }
            let digits = head[field.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }
            return Int(digits).map { $0 + text.utf8.distance(from: text.utf8.startIndex, to: end.upperBound) }
        }

        private static func milliseconds() -> Int {
            var now = timespec()
            clock_gettime(CLOCK_MONOTONIC, &now)
            return now.tv_sec * 1_000 + now.tv_nsec / 1_000_000
        }
    }
#endif
