import GatewayCore

/// The parameters of the strategy `session_id`.
struct SessionIDParameters: CustomStringConvertible {
    /// Where an identifier may stand.
    enum Place {
        case header(String)
        case attribute(String, producer: String)
    }

    /// Where the identifier is looked for, in order; never empty.
    let sources: [Place]
    /// The seconds after its last use in which a binding holds.
    let timeToLive: Double
    /// The seconds between two sweeps of what expired.
    let sweepInterval: Double

    /// The most seconds that can be configured: a year.
    private static let maxSeconds: Double = 31_536_000

    /// Reads `sources` (`header`, or `attribute` with `producer`; default: the header `x-session-id`),
    /// `evictionTtlSeconds` (default 300) and `evictionSweepSeconds` (default 10). The format takes 0 for the default.
    init(_ parameters: ParameterDecoder) {
        let sources = parameters.objects("sources").compactMap(Self.place)
        self.sources = sources.isEmpty ? [.header("x-session-id")] : sources
        func seconds(_ key: String, default fallback: Double) -> Double {
            let seconds = parameters.double(key, default: fallback, in: 0...Self.maxSeconds)
            return seconds > 0 ? seconds : fallback
        }
        timeToLive = seconds("evictionTtlSeconds", default: 300)
        sweepInterval = seconds("evictionSweepSeconds", default: 10)
    }

    private static func place(_ source: ParameterDecoder) -> Place? {
        let header = source.headerName("header") ?? ""
        let attribute = source.string("attribute", default: "")
        let producer = source.string("producer", default: "")
        guard header.isEmpty != attribute.isEmpty else {
            let found = header.isEmpty ? "neither" : "both"
            source.report("exactly one of header and attribute must be given, found \(found)")
            return nil
        }
        if !attribute.isEmpty { return .attribute(attribute, producer: producer) }
        if !producer.isEmpty { source.report("goes with attribute, not with header", at: "producer") }
        return .header(header)
    }

    /// All of it in words, equal for equal parameters.
    var description: String {
        "sources \(sources), \(timeToLive) s, sweep \(sweepInterval) s"
    }
}

/// Where one identifier of a session is read at run time.
enum SessionSource: Sendable {
    case header(String)
    case attribute(DataReader<String>)

    /// The identifier that the request has here; `nil` when it has none, or one that is too long to be kept.
    func identifier(in context: SchedulingContext) -> String? {
        let found =
            switch self {
            case .header(let name): context.request.headers.first(named: name)
            case .attribute(let reader): context.scratch[reader]
            }
        guard let text = found?.trimmingWhitespace(), !text.isEmpty else { return nil }
        return text.utf8.count <= SessionIdentifier.maxBytes ? text : nil
    }
}

extension [SessionSource] {
    /// The first identifier that the request has in any of these places.
    func firstIdentifier(in context: SchedulingContext) -> String? {
        for source in self {
            if let identifier = source.identifier(in: context) { return identifier }
        }
        return nil
    }
}

extension SessionIDParameters.Place {
    /// Declares what is read. An attribute without a producer is read as its key's default producer writes it, or as
    /// one writes it that has no name.
    func reader(_ context: inout PluginContext) -> SessionSource {
        switch self {
        case .header(let name):
            return .header(name)
        case .attribute(let name, let producer):
            let key = name == SessionIdentifier.key.name ? SessionIdentifier.key : DataKey<String>(name)
            return .attribute(context.consume(key, producer: producer.isEmpty ? nil : producer))
        }
    }
}
