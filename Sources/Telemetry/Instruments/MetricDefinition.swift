/// The shape of a metric family.
package enum MetricType: String, Sendable, Hashable {
    /// A count that only grows; its name ends in `_total`.
    case counter
    /// A value that goes up and down.
    case gauge
    /// Counts of observations below fixed upper bounds, with their sum.
    case histogram
}

/// The unit of a metric, always the base unit of its kind, as the suffix of the name spells it.
package enum MetricUnit: String, Sendable, Hashable {
    case seconds
    case bytes
    case tokens
    /// A share between 0 and 1.
    case ratio
}

/// What users may rely on.
package enum MetricStability: String, Sendable, Hashable {
    /// Name, labels or buckets may change in a minor release; the help text then starts with `[ALPHA]`.
    case alpha
    /// Changes only in a major release.
    case stable
}

/// One label of a family.
package struct MetricLabel: Sendable, Hashable, ExpressibleByStringLiteral {
    /// The label's name.
    package let name: String
    /// Whether the values come from outside (a model name, a tenant) and so need a limit on how many are kept apart.
    /// Values beyond the limit are all counted under ``LabelValueBound/overflow``.
    package let isBounded: Bool

    /// A label whose values come from the program or its configuration.
    package init(stringLiteral name: String) {
        self.init(name: name, isBounded: false)
    }

    private init(name: String, isBounded: Bool) {
        self.name = name
        self.isBounded = isBounded
    }

    /// A label whose values clients choose.
    package static func bounded(_ name: String) -> MetricLabel {
        MetricLabel(name: name, isBounded: true)
    }
}

/// Everything that is fixed about a metric family: the single source for the instrument, the page and the
/// documentation.
package struct MetricDefinition: Sendable, Hashable {
    /// The full name, prefix and unit suffix included.
    package let name: String
    /// Counter, gauge or histogram.
    package let type: MetricType
    /// The base unit, or nil for plain numbers.
    package let unit: MetricUnit?
    /// The labels in the order in which values are given and written.
    package let labels: [MetricLabel]
    /// The upper bounds of a histogram, strictly rising and finite, without the implied `+Inf`; empty for other types.
    package let buckets: [Double]
    /// One sentence for the reader of a dashboard.
    package let help: String
    /// What users may rely on.
    package let stability: MetricStability

    /// Describes a family; ``MetricRegistry`` checks it when an instrument is made from it.
    package init(
        name: String,
        type: MetricType,
        unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String,
        stability: MetricStability = .alpha
    ) {
        self.name = name
        self.type = type
        self.unit = unit
        self.labels = labels
        self.buckets = buckets
        self.help = help
        self.stability = stability
    }

    /// The help text as it stands on the page: an alpha metric says so first.
    package var pageHelp: String {
        stability == .alpha ? "[ALPHA] \(help)" : help
    }

    /// Every sample name this family writes; two families must not share one.
    var sampleNames: [String] {
        type == .histogram ? [name, "\(name)_bucket", "\(name)_sum", "\(name)_count"] : [name]
    }

    /// What is wrong with the definition, or nil.
    var defect: String? {
        if !Self.isLegalName(name, colonAllowed: true) {
            return "the name must match [a-zA-Z_:][a-zA-Z0-9_:]*"
        }
        if type == .counter, !name.hasSuffix("_total") { return "a counter's name must end in _total" }
        if type != .counter, name.hasSuffix("_total") { return "only a counter's name may end in _total" }
        var seen: Set<String> = []
        for label in labels {
            if !Self.isLegalName(label.name, colonAllowed: false) || label.name.hasPrefix("__") {
                return "the label \"\(label.name)\" must match [a-zA-Z_][a-zA-Z0-9_]* and not start with __"
            }
            if type == .histogram, label.name == "le" { return "the label \"le\" belongs to the histogram itself" }
            if !seen.insert(label.name).inserted { return "the label \"\(label.name)\" stands twice" }
        }
        return bucketDefect
    }

    private var bucketDefect: String? {
        guard type == .histogram else {
            return buckets.isEmpty ? nil : "only a histogram has buckets"
        }
        if buckets.isEmpty { return "a histogram needs at least one bucket" }
        if buckets.count > Histogram.boundsMax {
            return "\(buckets.count) buckets are more than the \(Histogram.boundsMax) a histogram holds"
        }
        for (index, bound) in buckets.enumerated() {
            if !bound.isFinite { return "bucket \(index) is \(bound); +Inf is implied" }
            if index > 0, bound <= buckets[index - 1] {
                return "bucket \(index), \(bound), must be above \(buckets[index - 1])"
            }
        }
        return nil
    }

    private static func isLegalName(_ name: String, colonAllowed: Bool) -> Bool {
        guard let first = name.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, 0x5F: true
            case 0x3A: colonAllowed
            default: false
            }
        }
    }
}
