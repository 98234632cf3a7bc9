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

/// Recognises a handful of names at the start of a line. Names of one engine share their beginning, so the last eight
/// bytes are compared first: a line that is not wanted costs one load and one comparison per name.
struct NameTable: Sendable {
    private struct Probe {
        let length: Int
        /// The last eight bytes of the name, the last one highest; shorter names have zeros in front.
        let tail: UInt64
        let mask: UInt64
    }

    private let probes: [Probe]
    private let names: [[UInt8]]

    init(_ names: [String]) {
        self.names = names.map { Array($0.utf8) }
        probes = self.names.map { name in
            let tail = name.suffix(8).reduce(0 as UInt64) { $0 >> 8 | UInt64($1) << 56 }
            let mask = name.count >= 8 ? UInt64.max : ~(UInt64.max >> UInt64(name.count * 8))
            return Probe(length: name.count, tail: tail, mask: mask)
        }
    }

    /// The name that stands at `start` and is followed by a blank or `{`, and where it ends.
    @inline(__always)
    func match(_ line: RawSpan, at start: Int) -> (index: Int, end: Int)? {
        let probes = self.probes
        for index in probes.indices {
            let probe = probes[index]
            let end = start + probe.length
            // A name at the very end of a line has neither value nor type.
            if end >= line.byteCount { continue }
            if line.word(endingAt: end) & probe.mask != probe.tail { continue }
            if line[end].isBlank || line[end] == UInt8(ascii: "{"), isEqual(names[index], line, at: start) {
                return (index, end)
            }
        }
        return nil
    }

    private func isEqual(_ name: [UInt8], _ line: RawSpan, at start: Int) -> Bool {
        for offset in name.indices where line[start + offset] != name[offset] { return false }
        return true
    }
}
