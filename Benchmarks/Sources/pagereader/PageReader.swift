#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `pagereader`: the least that fetching pages can cost, for comparison with a scraper.
///
/// One thread asks each server for its page at a fixed pace over a kept-alive connection, and reads the answer into one
/// buffer without looking at it but for its length. Prints `pages N` once a second; runs until it is killed.
@main
struct PageReader {
    static func main() throws {
        var arguments = CommandLine.arguments.dropFirst()
        guard let interval = arguments.popFirst().flatMap({ Int($0) }), interval > 0, !arguments.isEmpty else {
            throw ReaderError("usage: pagereader INTERVAL_MILLISECONDS http://IPV4:PORT …")
        }
        var reader = try Reader(servers: arguments.map(Server.init), intervalMilliseconds: interval)
        try reader.run()
    }
}

/// A sentence for the person who runs the benchmark.
struct ReaderError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// A server, by its URL.
struct Server {
    let host: String
    let port: UInt16

    init(_ url: String) throws(ReaderError) {
        let parts = url.dropFirst("http://".count).split(separator: ":")
        guard url.hasPrefix("http://"), parts.count == 2, let port = UInt16(parts[1]) else {
            throw ReaderError("'\(url)' is not http://IPV4:PORT")
        }
        host = String(parts[0])
        self.port = port
    }
}
