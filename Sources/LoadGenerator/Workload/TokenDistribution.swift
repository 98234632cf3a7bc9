package import GatewayCore

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// How many tokens a prompt or an answer has: always the same number, or a random one.
package enum TokenDistribution: Hashable, Sendable, CustomStringConvertible {
    /// Always so many.
    case constant(Int)
    /// Any of these, equally likely.
    case uniform(ClosedRange<Int>)
    /// The logarithm is normal, which is how lengths of real prompts look: mean and standard deviation, in tokens.
    case lognormal(mean: Double, deviation: Double)

    /// The most tokens of a prompt or an answer.
    package static let tokensMax = 4_000_000

    /// Reads `512`, `uniform:LOW:HIGH` or `lognormal:MEAN:DEVIATION`; `nil` for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        switch (parts.first, parts.count) {
        case (_, 1):
            guard let count = Int(parts[0]), (1...Self.tokensMax).contains(count) else { return nil }
            self = .constant(count)
        case ("uniform", 3):
            guard let low = Int(parts[1]), let high = Int(parts[2]), 1 <= low, low <= high, high <= Self.tokensMax
            else { return nil }
            self = .uniform(low...high)
        case ("lognormal", 3):
            guard let mean = Double(parts[1]), let deviation = Double(parts[2]), mean >= 1, deviation > 0,
                mean <= Double(Self.tokensMax), deviation <= Double(Self.tokensMax)
            else { return nil }
            self = .lognormal(mean: mean, deviation: deviation)
        default:
            return nil
        }
    }

    /// The next number of tokens, at least 1.
    package func next(_ random: inout RandomSource) -> Int {
        switch self {
        case .constant(let count): return count
        case .uniform(let range): return Int.random(in: range, using: &random)
        case .lognormal(let mean, let deviation):
            let variance = log(1 + deviation * deviation / (mean * mean))
            let value = exp(log(mean) - variance / 2 + variance.squareRoot() * random.normal())
            return Int(min(max(value.rounded(), 1), Double(Self.tokensMax)))
        }
    }

    package var description: String {
        switch self {
        case .constant(let count): "\(count)"
        case .uniform(let range): "uniform:\(range.lowerBound):\(range.upperBound)"
        case .lognormal(let mean, let deviation): "lognormal:\(mean):\(deviation)"
        }
    }
}

extension RandomSource {
    /// A normal number with mean 0 and deviation 1 (the Box-Muller transform).
    mutating func normal() -> Double {
        (-2 * log(1 - unit())).squareRoot() * cos(2 * .pi * unit())
    }

    /// An exponential number with mean 1.
    mutating func exponential() -> Double {
        -log(1 - unit())
    }

    /// A gamma number of `shape` above 0, with mean `shape` (Marsaglia and Tsang 2000).
    mutating func gamma(shape: Double) -> Double {
        if shape < 1 { return gamma(shape: shape + 1) * pow(1 - unit(), 1 / shape) }
        let shifted = shape - 1 / 3.0
        let scale = 1 / (9 * shifted).squareRoot()
        while true {
            let deviate = normal()
            let cube = pow(1 + scale * deviate, 3)
            guard cube > 0 else { continue }
            let bound = 0.5 * deviate * deviate + shifted - shifted * cube + shifted * log(cube)
            if log(1 - unit()) < bound { return shifted * cube }
        }
    }

    /// A generator for one part of a run: equal seeds and streams give equal numbers, whatever was drawn elsewhere.
    static func stream(seed: UInt64, _ stream: Int, _ part: UInt64) -> RandomSource {
        var mixer = RandomSource(seed: seed ^ (part &* 0xD1B5_4A32_D192_ED03))
        let first = mixer.next()
        var second = RandomSource(seed: first &+ UInt64(bitPattern: Int64(stream)) &* 0x8CB9_2BA7_2F3D_8DD7)
        return RandomSource(seed: second.next())
    }
}
