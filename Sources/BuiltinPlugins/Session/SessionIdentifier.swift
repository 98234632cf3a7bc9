import GatewayCore

/// What tells the requests of one client's session from others, as the client itself sends it.
enum SessionIdentifier {
    /// The key.
    static let key = DataKey<String>("SessionID", defaultProducer: SessionIDProducer.descriptor.type)

    /// The most bytes of an identifier that anything is kept by. Longer ones count as none: what clients send must not
    /// fill the memory.
    static let maxBytes = 1024
}

/// Takes the identifier of a request's session out of a header field or a cookie.
struct SessionIDProducer: DataProducer {
    static let descriptor = PluginDescriptor(
        type: "session-id-producer",
        summary: "Takes the identifier of a request's session out of a header field or a cookie."
    )

    private enum Source {
        case header(String)
        case cookie(String)
    }

    private let source: Source
    private let identifier: DataWriter<String>

    /// Reads `headerName` and `cookieName`, of which exactly one must be given.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        let header = parameters.headerName("headerName") ?? ""
        let cookie = parameters.string("cookieName", default: "").trimmingWhitespace()
        if header.isEmpty == cookie.isEmpty {
            let found = header.isEmpty ? "neither" : "both"
            parameters.report("exactly one of headerName and cookieName must be given, found \(found)")
        }
        source = header.isEmpty ? .cookie(cookie) : .header(header)
        identifier = context.produce(SessionIdentifier.key)
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        let headers = context.request.headers
        let found =
            switch source {
            case .header(let name): headers.first(named: name)
            case .cookie(let name): Self.cookie(name, in: headers)
            }
        if let found = found?.trimmingWhitespace(), !found.isEmpty { context.scratch[identifier] = found }
    }

    /// The value of the first cookie called `name` (RFC 6265, 4.2). HTTP/2 may send each cookie as a field of its own.
    private static func cookie(_ name: String, in headers: HeaderMap) -> String? {
        guard headers.first("cookie") != nil else { return nil }
        for field in headers.fields where field.name.equalsIgnoringASCIICase("cookie") {
            for pair in field.value.utf8.split(separator: UInt8(ascii: ";")) {
                guard let equals = pair.firstIndex(of: UInt8(ascii: "=")) else { continue }
                if Substring(pair[..<equals]).trimmingWhitespace() == name {
                    return String(Substring(pair[pair.index(after: equals)...]))
                }
            }
        }
        return nil
    }
}
