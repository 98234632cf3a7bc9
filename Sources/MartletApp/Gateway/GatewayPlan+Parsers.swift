import GatewayConfiguration
import GatewayCore
import RequestFormats

extension GatewayPlan {
    /// Which formats of requests are read. A request is read before its pool is known, so one list serves all pools:
    /// that of the first one.
    var parsers: RequestParserSet { pools.first.map { RequestParserSet($0.picker) } ?? .standard }

    /// What of the pools' parsers has no effect.
    var parserWarnings: [String] {
        let used = parsers
        let foreign = pools.first?.picker.foreignParsers
        let different = pools.filter { pool in
            RequestParserSet(pool.picker).kinds != used.kinds || pool.picker.foreignParsers != foreign
        }.map { "'\($0.id.name)'" }
        var warnings = used.ignored.map { kind in
            "requestHandler.parsers: \(kind.rawValue) has no effect: it is listed twice, or behind passthrough-parser"
        }
        if let first = pools.first, !different.isEmpty {
            warnings.append(
                "requestHandler.parsers of \(different.joined(separator: ", ")) has no effect: a request is read "
                    + "before its pool is known, with the parsers of '\(first.id.name)'"
            )
        }
        return warnings
    }
}

extension RequestParserSet {
    /// The parsers that a pool's configuration lists; the standard ones when it lists none.
    init(_ picker: EndpointPickerConfiguration) {
        guard !picker.parsers.isEmpty else {
            self = .standard
            return
        }
        self.init(
            picker.parserTypes.compactMap(RequestParserKind.init)
        )
    }
}

extension EndpointPickerConfiguration {
    /// The types of the listed parsers.
    fileprivate var parserTypes: [String] {
        parsers.map { reference in plugins.first { $0.name == reference.name }?.type ?? reference.name }
    }

    /// The types of the listed parsers that are not the gateway's own.
    fileprivate var foreignParsers: [String] { parserTypes.filter { RequestParserKind(rawValue: $0) == nil } }
}
