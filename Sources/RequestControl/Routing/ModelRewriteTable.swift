import GatewayCore

/// A rule of an InferenceModelRewrite: which models serve the requests for one, and in which shares.
package struct ModelRewriteRule: Hashable, Sendable {
    /// A model and its share of the requests.
    package struct Target: Hashable, Sendable {
        /// The model that serves.
        package let model: String
        /// The share in relation to the rule's other targets; 1 or more.
        package let weight: Int

        /// Makes a target; see the properties.
        package init(model: String, weight: Int = 1) {
            self.model = model
            self.weight = weight
        }
    }

    /// The name of the resource, for metrics.
    package let rewrite: String
    /// The models whose requests match; none for every request.
    package let models: [String]
    /// What serves them, at least one.
    package let targets: [Target]
    /// The header field by whose value requests stay with one target; `nil` when each request is drawn.
    package let stickyHeader: String?
    private let totalWeight: Int
    /// For each target, where the hash of a session begins.
    private let seeds: [StableHash]

    /// Makes a rule; see the properties.
    package init(rewrite: String, models: [String], targets: [Target], stickyHeader: String? = nil) {
        precondition(!targets.isEmpty && targets.allSatisfy { $0.weight > 0 }, "a rule has targets with weights")
        self.rewrite = rewrite
        self.models = models
        self.targets = targets
        self.stickyHeader = stickyHeader
        totalWeight = targets.reduce(0) { $0 + $1.weight }
        var rule = StableHash()
        rule.add(rewrite)
        for model in models { rule.add(model) }
        seeds = targets.map { target in
            var seed = rule
            seed.add(target.model)
            return seed
        }
    }

    /// Whether `model` is one of the targets.
    func hasTarget(_ model: String) -> Bool {
        targets.contains { $0.model == model }
    }

    /// A target by weight.
    func target(_ random: inout RandomSource) -> String {
        guard targets.count > 1 else { return targets[0].model }
        var rest = Int.random(in: 0..<totalWeight, using: &random)
        for target in targets {
            if rest < target.weight { return target.model }
            rest -= target.weight
        }
        return targets[0].model
    }

    /// The target of a session: always the same one for the same weights, and over all sessions in their shares.
    ///
    /// Weighted rendezvous hashing (Thaler and Ravishankar, 1998; the weights as in Schindelhauer and Schomaker, 2005):
    /// each target draws an exponential variate with its weight as the rate from its hash with the session, and the
    /// least wins. A weight that rises takes sessions from all others and moves none between these.
    func target(ofSession session: String) -> String {
        guard targets.count > 1 else { return targets[0].model }
        var best = 0
        var least = Double.infinity
        for (index, target) in targets.enumerated() {
            var hash = seeds[index]
            hash.add(session)
            let arrival = hash.exponentialVariate / Double(target.weight)
            if arrival < least { (best, least) = (index, arrival) }
        }
        return targets[best].model
    }
}

/// The rules of a pool, in the order in which they hold: an exact rule goes before one for every request, whichever is
/// older, and an older one before a younger.
package struct ModelRewriteTable: Sendable {
    /// All rules, the oldest first.
    package let rules: [ModelRewriteRule]
    /// The models of exact rules in the order of the rules, each one once.
    let aliases: [String]
    private let exact: [String: Int]
    private let generic: Int?

    /// Makes a table of rules in their order, the oldest first.
    package init(_ rules: [ModelRewriteRule] = []) {
        var exact: [String: Int] = [:]
        var aliases: [String] = []
        for (index, rule) in rules.enumerated() {
            for model in rule.models where exact[model] == nil {
                exact[model] = index
                aliases.append(model)
            }
        }
        self.rules = rules
        self.exact = exact
        self.aliases = aliases
        generic = rules.firstIndex { $0.models.isEmpty }
    }

    /// The rule for the requests that ask for `model`; `nil` when there is none.
    package func rule(for model: String) -> ModelRewriteRule? {
        (exact[model] ?? generic).map { rules[$0] }
    }

    /// Every model that a rule names, those that clients ask for and those that serve.
    package var models: Set<String> {
        rules.reduce(into: []) { names, rule in
            names.formUnion(rule.models)
            names.formUnion(rule.targets.map(\.model))
        }
    }
}

/// A hash of texts that is the same in every process and on every machine, so that replicas agree (FNV-1a, 64 bits).
private struct StableHash: Hashable, Sendable {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    /// Adds a text and its end.
    mutating func add(_ text: String) {
        for byte in text.utf8 { add(byte) }
        // No UTF-8 has this byte, so ("a", "b") and ("ab", "") differ.
        add(0xFF)
    }

    private mutating func add(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }

    /// −ln(u), where u is the hash as a number between 0 and 1.
    ///
    /// In plain arithmetic, because replicas must agree to the last bit and C libraries do not: with u = m · 2^e and m
    /// from 1 to 2, ln m is twice the series of artanh((m − 1) / (m + 1)), whose 13 terms are exact to 13 digits.
    var exponentialVariate: Double {
        var mixed = RandomSource(seed: state)
        let unit = (Double(mixed.next() >> 11) + 0.5) * 0x1p-53
        let ratio = (unit.significand - 1) / (unit.significand + 1)
        var power = ratio
        var sum = 0.0
        for divisor in stride(from: 1.0, through: 25, by: 2) {
            sum += power / divisor
            power *= ratio * ratio
        }
        return -(Double(unit.exponent) * 0.693_147_180_559_945_3 + 2 * sum)
    }
}
