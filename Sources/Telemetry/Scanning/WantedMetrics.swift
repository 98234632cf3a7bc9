/// One sample that a reader of a page wants.
package struct WantedMetric: Sendable, Hashable {
    /// The sample's full name, `_total` or `_bucket` included.
    package let name: String
    /// Labels that must have these values; others may have any. Label names are distinct.
    package let selector: [LabelMatch]

    /// A label and the value it must have.
    package struct LabelMatch: Sendable, Hashable {
        /// The label's name.
        package let label: String
        /// The value, without escapes.
        package let value: String

        /// Requires `label` to be `value`; an absent label counts as empty.
        package init(label: String, value: String) {
            self.label = label
            self.value = value
        }
    }

    /// Wants the samples of this name whose labels match.
    package init(name: String, selector: [LabelMatch] = []) {
        self.name = name
        self.selector = selector
    }
}

/// The set of samples to look for, prepared for comparing. Made once per kind of model server and shared by all
/// scanners.
package struct WantedMetrics: Sendable {
    /// The metrics in the order given; samples refer to them by index. Two may have the same name and different
    /// selectors.
    package let metrics: [WantedMetric]
    /// For each name of ``sampleNames`` the metrics that have it.
    let metricsBySampleName: [[Int]]
    let sampleNames: NameTable
    /// The names under which `# TYPE` lines may speak of a wanted metric: its own, and its family's.
    let familyNames: NameTable
    let membersByFamilyName: [[FamilyMember]]

    /// A wanted metric as a member of a family.
    struct FamilyMember: Sendable {
        let metric: Int
        /// The types for which the family's samples have the suffix of the metric; nil: the names are the same.
        let types: [ExpositionType]?
    }

    /// Prepares the look-up. Metrics with an empty name are never found.
    package init(_ metrics: [WantedMetric]) {
        self.metrics = metrics
        var samples = OrderedNames<Int>()
        var families = OrderedNames<FamilyMember>()
        for (index, metric) in metrics.enumerated() where !metric.name.isEmpty {
            samples.add(metric.name, index)
            families.add(metric.name, FamilyMember(metric: index, types: nil))
            for (suffix, types) in Self.suffixes where metric.name.hasSuffix(suffix) {
                let family = String(metric.name.dropLast(suffix.count))
                if !family.isEmpty { families.add(family, FamilyMember(metric: index, types: types)) }
            }
        }
        sampleNames = NameTable(samples.names)
        metricsBySampleName = samples.members
        familyNames = NameTable(families.names)
        membersByFamilyName = families.members
    }

    /// Whether the line that begins at `start` can be told to be of no interest from its first bytes: a help text, or
    /// the type or a sample of another metric. False for whatever needs a closer look.
    @inline(__always)
    func isOther(_ bytes: RawSpan, lineAt start: Int) -> Bool {
        guard start + 23 <= bytes.byteCount else { return false }
        let word = bytes.wordUnchecked(at: start)
        let first = UInt8(truncatingIfNeeded: word)
        if first == UInt8(ascii: "#") {
            let keyword = word & 0x00FF_FFFF_FFFF_FFFF
            if keyword == LineStart.help { return true }
            // A blank instead of a name: more than one blank stands before it.
            return keyword == LineStart.type && UInt8(truncatingIfNeeded: word >> 56) > 0x20
                && !familyNames.mayMatch(bytes.wordUnchecked(at: start + 7), bytes.wordUnchecked(at: start + 15))
        }
        return first > 0x20 && !sampleNames.mayMatch(word, bytes.wordUnchecked(at: start + 8))
    }

    /// How most comments begin, as seven bytes of a word, the first byte lowest.
    private enum LineStart {
        static let help: UInt64 = 0x20_50_4C_45_48_20_23
        static let type: UInt64 = 0x20_45_50_59_54_20_23
    }

    /// Which suffixes samples carry beyond the name in the `# TYPE` line (OpenMetrics 1.0; the histogram and summary
    /// suffixes also in the older format).
    private static let suffixes: [(suffix: String, types: [ExpositionType])] = [
        ("_total", [.counter]), ("_created", [.counter, .histogram, .summary]), ("_bucket", [.histogram]),
        ("_sum", [.histogram, .summary]), ("_count", [.histogram, .summary]), ("_info", [.info]),
    ]
}

/// Names in the order of their first mention, with what belongs to each.
private struct OrderedNames<Member> {
    private(set) var names: [String] = []
    private(set) var members: [[Member]] = []

    mutating func add(_ name: String, _ member: Member) {
        if let index = names.firstIndex(of: name) {
            members[index].append(member)
        } else {
            names.append(name)
            members.append([member])
        }
    }
}
