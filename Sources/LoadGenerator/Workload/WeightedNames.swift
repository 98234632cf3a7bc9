import GatewayCore

/// Names of which one is drawn for each conversation, by weight.
package struct WeightedNames: Hashable, Sendable, CustomStringConvertible {
    /// The names as they were given.
    package private(set) var names: [String] = []
    private var limits: [Double] = []

    /// No names: nothing is drawn.
    package init() {}

    /// Reads arguments like `NAME` and `NAME=WEIGHT`; a missing weight is 1.
    ///
    /// - Returns: `nil` when a name is empty or a weight is no number above 0.
    package init?(arguments: [String]) {
        for argument in arguments {
            var name = Substring(argument)
            var weight = 1.0
            if let equals = argument.lastIndex(of: "="), let given = Double(argument[argument.index(after: equals)...])
            {
                name = argument[..<equals]
                weight = given
            }
            guard !name.isEmpty, weight > 0, weight.isFinite else { return nil }
            names.append(String(name))
            limits.append((limits.last ?? 0) + weight)
        }
    }

    /// Whether there is nothing to draw.
    package var isEmpty: Bool { names.isEmpty }

    /// Draws a name; `nil` when there is none. Always takes one number from `random`.
    func draw(_ random: inout RandomSource) -> String? {
        let point = random.unit() * (limits.last ?? 0)
        guard let place = limits.firstIndex(where: { point < $0 }) else { return names.last }
        return names[place]
    }

    package var description: String {
        var last = 0.0
        return zip(names, limits).map { name, limit in
            defer { last = limit }
            return names.count == 1 ? name : "\(name)=\(limit - last)"
        }.joined(separator: ", ")
    }
}
