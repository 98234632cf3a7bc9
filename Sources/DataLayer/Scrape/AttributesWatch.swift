package import GatewayCore
import Telemetry

/// The reading of attributes from a further page of one life, such as that of an exporter beside the engine. Whether
/// that page can be had says nothing of the endpoint itself.
package struct AttributesWatch: PageWatch {
    private struct Asked {
        let owner: String
        let startedAt: MonotonicInstant
    }

    /// The question, the same each time.
    package let request: OutboundRequest
    private let source: String
    private var reader: AttributeReader
    private var schedule: ScrapeSchedule
    private var asked: Asked?

    /// The watch of an endpoint that came at `now`.
    package init(
        of endpoint: EndpointSnapshot,
        page: AttributePage,
        configuration: ScrapeConfiguration,
        now: MonotonicInstant
    ) {
        request = OutboundRequest(
            address: page.address(of: endpoint.address),
            path: page.settings.path,
            timeout: configuration.timeout,
            maxResponseBytes: configuration.maxPageBytes
        )
        source = page.source
        reader = AttributeReader(rules: page.rules)
        let interval = max(page.settings.interval ?? configuration.interval, ScrapeConfiguration.shortestInterval)
        schedule = ScrapeSchedule(
            slot: endpoint.slot,
            now: now,
            interval: interval,
            unreachableInterval: max(interval, configuration.missingPageInterval),
            missingInterval: max(interval, configuration.missingPageInterval)
        )
    }

    /// When ``request`` is to be sent; `nil` while an answer is awaited.
    package var nextDue: MonotonicInstant? { asked == nil ? schedule.nextDue : nil }

    /// Notes that ``request`` is sent now to `endpoint`, as it is known now.
    package mutating func ask(_ endpoint: EndpointSnapshot, at now: MonotonicInstant) {
        asked = Asked(owner: endpoint.podName, startedAt: now)
    }

    /// Takes the answer and plans the next question; `nil` when nothing was asked.
    package mutating func answered(
        _ result: Result<OutboundResponse, OutboundFailure>,
        at now: MonotonicInstant
    ) -> ScrapeFinding? {
        guard let asked else { return nil }
        self.asked = nil
        var finding = ScrapeFinding(source: source, startedAt: asked.startedAt)
        switch result {
        case .success(let response) where response.status == 200:
            schedule.finished(.answered, at: now)
            let reading = response.body.withBytes { reader.read($0, owner: asked.owner) }
            finding.attributes = reading.attributes
            finding.faults = reading.faults
        case .success(let response):
            schedule.finished(response.status == 404 ? .missing : .answered, at: now)
            finding.isPollError = true
            finding.faults = [ScrapeFault(.page, response.status == 404 ? .missing : .status)]
        case .failure(let failure):
            finding.isPollError = true
            finding.faults = [ScrapeFault(.page, failure.pageFault)]
            if case .connect = failure {
                schedule.finished(.unreachable, at: now)
            } else {
                schedule.finished(.answered, at: now)
            }
        }
        return finding
    }
}

/// Reads attributes from a page that may tell of several endpoints.
struct AttributeReader: Sendable {
    /// What a page gave.
    struct Reading: Hashable, Sendable {
        /// The attributes that were found.
        var attributes: [AttributeReading] = []
        /// What was absent or could not be taken.
        var faults: [ScrapeFault] = []
    }

    /// What the series of one rule give so far.
    private struct Found {
        var highest: Double?
        var fault: ScrapeFaultReason?
    }

    private let rules: [AttributeRule]
    private var scanner: ExpositionScanner

    /// Prepares the reading of pages by `rules`.
    init(rules: [AttributeRule]) {
        self.rules = rules
        scanner = ExpositionScanner(wanted: WantedMetrics(rules.map { WantedMetric($0.metric) }))
    }

    /// Reads `page` for the endpoint of the pod called `owner`.
    mutating func read(_ page: RawSpan, owner: String) -> Reading {
        let rules = rules
        var found = [Found](repeating: Found(), count: rules.count)
        var reading = Reading()
        let take = { (sample: ExpositionSample, line: RawSpan) in
            let rule = rules[sample.metric]
            if Self.isAbout(owner, sample, line, rule) { Self.take(sample, rule, &found[sample.metric]) }
        }
        reading.faults = scanner.readWhole(page, take)
        for (index, rule) in rules.enumerated() {
            let found = found[index]
            if scanner.redeclared.contains(index) {
                reading.faults.append(ScrapeFault(.attribute, .duplicate, attribute: rule.key))
            }
            if let highest = found.highest {
                reading.attributes.append(AttributeReading(key: rule.key, value: highest))
            }
            let fault = found.fault ?? (found.highest == nil ? .missing : nil)
            if let fault { reading.faults.append(ScrapeFault(.attribute, fault, attribute: rule.key)) }
        }
        return reading
    }

    /// A series that names no owner is about whoever asks; an empty name is the name of nobody.
    private static func isAbout(_ owner: String, _ sample: ExpositionSample, _ line: RawSpan, _ rule: AttributeRule)
        -> Bool
    {
        guard let label = rule.ownerLabel else { return true }
        return sample.isLabel(label, owner, in: line) || sample.label(label, in: line) == nil
    }

    private static func take(_ sample: ExpositionSample, _ rule: AttributeRule, _ found: inout Found) {
        let value = sample.value / rule.divisor
        if sample.type != .gauge, sample.type != .counter {
            found.fault = .wrongType
        } else if !value.isFinite {
            found.fault = .notANumber
        } else if !rule.range.contains(value) {
            found.fault = .outOfRange
        } else {
            found.highest = max(found.highest ?? value, value)
        }
    }
}

extension WantedMetric {
    /// Wants the series that `spec` selects.
    init(_ spec: MetricSpec) {
        self.init(name: spec.name, selector: spec.labels.map { LabelMatch(label: $0.name, value: $0.value) })
    }
}

extension ExpositionScanner {
    /// Reads a page that came as one piece. Of a page that ends in the middle of a line that line is left out: half a
    /// number would look like a whole one.
    ///
    /// - Returns: what is wrong with the page as a whole.
    mutating func readWhole(
        _ page: RawSpan,
        _ body: (_ sample: ExpositionSample, _ line: RawSpan) -> Void
    ) -> [ScrapeFault] {
        var faults: [ScrapeFault] = []
        begin(.prometheusText)
        feed(page, body)
        if isWithinSample {
            faults.append(ScrapeFault(.page, .truncated))
        } else {
            finish(body)
        }
        if statistics.malformedLines > 0 || statistics.oversizedLines > 0 {
            faults.append(ScrapeFault(.page, .unreadable))
        }
        return faults
    }
}
