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
    /// Leaves in a later release; the help text starts as an alpha metric's does, and says what to use instead. Only on
    /// a page that has the deprecated families.
    case deprecated
}

/// On whose page a family is, and since when.
package enum MetricPresence: Sendable, Hashable {
    /// On that of a gateway, from its first value on.
    case always
    /// Where requests wait for their turn.
    case flowControl
    /// Where a plugin of this type is configured.
    case plugin(String)
    /// While decisions are kept, since their steps are timed for them.
    case keptDecisions
    /// Of `martlet epp` with this flag.
    case flag(String)
    /// Of `martlet serve`.
    case proxy
    /// Where a cluster is followed.
    case cluster
    /// Of `martlet bbr`.
    case bodyRouter

    /// The words for a reader.
    package var text: String {
        switch self {
        case .always: "always"
        case .flowControl: "with flow control"
        case .plugin(let type): "with `\(type)`"
        case .keptDecisions: "unless `--keep-decisions` is 0"
        case .flag(let flag): "with `--\(flag)`"
        case .proxy: "`martlet serve`"
        case .cluster: "in a cluster"
        case .bodyRouter: "`martlet bbr`"
        }
    }
}

/// The name and the labels under which upstream's dashboards knew a family before. Its series are those of the family,
/// added up over the labels that it lacks.
package struct DeprecatedTwin: Sendable, Hashable {
    /// One of its labels.
    package struct Label: Sendable, Hashable, ExpressibleByStringLiteral {
        /// The label's name.
        package let name: String
        /// The label of the family that has its values.
        package let source: String

        /// A label that the family has under the same name.
        package init(stringLiteral name: String) {
            self.init(name, from: name)
        }

        /// A label that the family calls `source`.
        package init(_ name: String, from source: String) {
            self.name = name
            self.source = source
        }
    }

    /// The full name.
    package let name: String
    /// The labels, in the order in which they are written.
    package let labels: [Label]
    /// The label and the value of the only series that it has; `nil` for all.
    package let only: LabelValue?

    /// A label with its value.
    package struct LabelValue: Sendable, Hashable {
        /// The label's name.
        package let label: String
        /// The value.
        package let value: String
    }

    /// Describes a twin.
    package init(_ name: String, labels: [Label] = [], only: LabelValue? = nil) {
        self.name = name
        self.labels = labels
        self.only = only
    }
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
        self.init(name)
    }

    /// A label whose values come from the program or its configuration.
    init(_ name: String) {
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
    /// On whose page it is, and since when.
    package let presence: MetricPresence
    /// Its older name; `nil` for none.
    package let twin: DeprecatedTwin?

    /// Describes a family; ``MetricRegistry`` checks it when an instrument is made from it.
    package init(
        name: String,
        type: MetricType,
        unit: MetricUnit? = nil,
        labels: [MetricLabel] = [],
        buckets: [Double] = [],
        help: String,
        stability: MetricStability = .alpha,
        presence: MetricPresence = .always,
        twin: DeprecatedTwin? = nil
    ) {
        self.name = name
        self.type = type
        self.unit = unit
        self.labels = labels
        self.buckets = buckets
        self.help = help
        self.stability = stability
        self.presence = presence
        self.twin = twin
    }

    /// The help text as it stands on the page: what is not stable says so first.
    package var pageHelp: String {
        stability == .stable ? help : "[ALPHA] \(help)"
    }

    /// The family under its older name, as the page has it; `nil` when it has none.
    package var twinDefinition: MetricDefinition? {
        twin.map { twin in
            let isBounded = Set(labels.filter(\.isBounded).map(\.name))
            return MetricDefinition(
                name: twin.name,
                type: type,
                unit: unit,
                labels: twin.labels.map { isBounded.contains($0.source) ? .bounded($0.name) : MetricLabel($0.name) },
                buckets: buckets,
                help: "[Deprecated: Use \(name)] \(help)",
                stability: .deprecated,
                presence: presence
            )
        }
    }

    /// Every sample name this family writes; two families must not share one.
    var sampleNames: [String] {
        type == .histogram ? [name, "\(name)_bucket", "\(name)_sum", "\(name)_count"] : [name]
    }

    /// What is wrong with the definition or its twin, or nil.
    var defect: String? {
        if let defect = ownDefect { return defect }
        guard let twin, let definition = twinDefinition else { return nil }
        let known = Set(labels.map(\.name))
        let sources = twin.labels.map(\.source) + (twin.only.map { [$0.label] } ?? [])
        if let unknown = sources.first(where: { !known.contains($0) }) {
            return "its twin \(twin.name) reads the label \"\(unknown)\", which it does not have"
        }
        return definition.ownDefect.map { "its twin \(twin.name) is wrong: \($0)" }
    }

    private var ownDefect: String? {
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
