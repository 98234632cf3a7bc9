import GatewayCore

extension PluginConformance {
    /// How many bodies of random bytes a parser is given.
    private static let randomBodyCount = 500
    /// The most changed and shortened forms of each known body.
    private static let variantCount = 500

    /// Gives a parser the known bodies, beginnings and spoilt copies of them, and random bytes.
    func check(_ parser: any BodyParser) -> [String] {
        let claims = parser.pathSuffixes.filter { suffix in suffix.contains { $0 != "/" } }
        guard let suffix = claims.first, claims.count == parser.pathSuffixes.count else {
            return ["the parser claims \(parser.pathSuffixes), which is no path or not a path only"]
        }
        let path = "/\(suffix)"
        var found = bodies.enumerated().compactMap { index, body in
            do throws(Rejection) {
                _ = try parse(parser, body, path)
                return nil as String?
            } catch {
                return "the parser refuses the body \(index): \(error)"
            }
        }
        for body in bodies + hostileBodies() {
            let first = Result { () throws(Rejection) in try parse(parser, body, path) }
            if first != Result(catching: { () throws(Rejection) in try parse(parser, body, path) }) {
                return found + ["the parser is not deterministic"]
            }
            if case .success(let parsed) = first, let fault = parsed.fault(inBodyOf: body.count) {
                found.append("the parser's answer cannot be used: \(fault)")
                break
            }
        }
        return found
    }

    private func parse(_ parser: any BodyParser, _ body: [UInt8], _ path: String) throws(Rejection) -> ParsedRequest {
        try parser.parse(body.span.bytes, headers: HeaderMap(), path: path[...])
    }

    private func hostileBodies() -> [[UInt8]] {
        var random = RandomSource(seed: 1)
        var hostile: [[UInt8]] = [[]]
        for body in bodies {
            // Every beginning of a short body, and beginnings all over a long one.
            for step in 0..<min(body.count, Self.variantCount) {
                let length = body.count <= Self.variantCount ? step : Int.random(in: 0..<body.count, using: &random)
                hostile.append(Array(body.prefix(length)))
                var spoilt = body
                spoilt[Int.random(in: 0..<body.count, using: &random)] = .random(in: .min ... .max, using: &random)
                hostile.append(spoilt)
            }
        }
        for _ in 0..<Self.randomBodyCount {
            let length = Int.random(in: 0...300, using: &random)
            hostile.append((0..<length).map { _ in .random(in: .min ... .max, using: &random) })
        }
        return hostile
    }
}
