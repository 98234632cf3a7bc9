/// What a scanner saw of one page.
package struct ExpositionStatistics: Sendable, Hashable {
    /// Lines, wanted or not, the empty ones included.
    package var lines = 0
    /// Samples handed to the caller.
    package var samples = 0
    /// Lines with a wanted name that could not be read.
    package var malformedLines = 0
    /// Lines dropped for their length.
    package var oversizedLines = 0
    /// Whether OpenMetrics' `# EOF` was seen, after which nothing is read. Its absence tells a cut-off page.
    package var isEnded = false
}

/// Picks the wanted samples out of a page of metrics that arrives in pieces.
///
/// Lines may be cut anywhere; at most ``lineBytesMax`` bytes are kept between two pieces. A line that is not wanted is
/// compared, skipped and forgotten without allocation: of the hundreds of lines of a model server's page a gateway
/// needs about six, twenty times a second and from every endpoint. No input traps.
///
/// A value without isolation: whoever scrapes owns it and uses it again for the next page.
package struct ExpositionScanner: Sendable {
    /// Longer lines are dropped and counted.
    package static let lineBytesMax = 64 * 1024

    /// What is looked for.
    package let wanted: WantedMetrics
    /// What was seen since ``begin(_:)``.
    package private(set) var statistics = ExpositionStatistics()
    /// The wanted metrics, by index, whose type the page declared more than once since ``begin(_:)``: their families
    /// stand there twice.
    package private(set) var redeclared: [Int] = []

    private var format = ExpositionFormat.prometheusText
    /// The types declared so far, by index of the wanted metric.
    private var types: [ExpositionType]
    /// The beginning of a line whose end has not arrived.
    private var carry: [UInt8] = []
    /// The rest of a line that is too long is being skipped.
    private var isDropping = false

    /// A scanner for pages of these metrics, at the start of a page in Prometheus text.
    package init(wanted: WantedMetrics) {
        self.wanted = wanted
        types = Array(repeating: .untyped, count: wanted.metrics.count)
    }

    /// Starts a new page; whatever is left of an earlier one is forgotten.
    package mutating func begin(_ format: ExpositionFormat) {
        self.format = format
        statistics = ExpositionStatistics()
        redeclared.removeAll(keepingCapacity: true)
        for index in types.indices { types[index] = .untyped }
        carry.removeAll(keepingCapacity: true)
        isDropping = false
    }

    /// Reads the next piece of the page.
    ///
    /// - Parameters:
    ///   - bytes: The piece, of any length.
    ///   - body: Called for each wanted sample in the order of the page, once for each metric of ``wanted`` that it
    ///     satisfies, with the line that the sample's labels stand in.
    package mutating func feed(_ bytes: RawSpan, _ body: (_ sample: ExpositionSample, _ line: RawSpan) -> Void) {
        var start = 0
        if isDropping || !carry.isEmpty {
            guard let end = bytes.firstLineFeed(from: 0) else { return keep(bytes) }
            keep(bytes.extracting(0..<end))
            endCarriedLine(body)
            start = end + 1
        }
        var offset = start
        while offset + RawSpan.blockLength <= bytes.byteCount {
            var lineFeeds = bytes.lineFeedsUnchecked(inBlockAt: offset)
            while lineFeeds != 0 {
                let end = offset + lineFeeds.trailingZeroBitCount
                scanLine(bytes, start..<end, body)
                start = end + 1
                lineFeeds &= lineFeeds &- 1
            }
            offset += RawSpan.blockLength
        }
        while let end = bytes.firstLineFeed(from: max(start, offset)) {
            scanLine(bytes, start..<end, body)
            start = end + 1
        }
        keep(bytes.extracting(start..<bytes.byteCount))
    }

    /// Ends the page, which is complete: a last line without a line feed is read too. Of a page that broke off call
    /// ``begin(_:)`` instead, lest half a number count as a whole one.
    package mutating func finish(_ body: (_ sample: ExpositionSample, _ line: RawSpan) -> Void) {
        if isDropping || !carry.isEmpty { endCarriedLine(body) }
    }

    /// Whether the bytes so far end within a line that is no comment, so that its last number may be half a number.
    package var isWithinSample: Bool {
        if isDropping { return true }
        guard let first = carry.first(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) else {
            return false
        }
        return first != UInt8(ascii: "#")
    }

    private mutating func keep(_ bytes: RawSpan) {
        if isDropping { return }
        if bytes.byteCount > Self.lineBytesMax - carry.count {
            isDropping = true
            carry.removeAll(keepingCapacity: true)
        } else {
            bytes.withUnsafeBytes { carry.append(contentsOf: $0) }
        }
    }

    private mutating func endCarriedLine(_ body: (ExpositionSample, RawSpan) -> Void) {
        if isDropping {
            isDropping = false
            if !statistics.isEnded {
                statistics.lines += 1
                statistics.oversizedLines += 1
            }
            return
        }
        var line: [UInt8] = []
        swap(&line, &carry)
        scan(line.span.bytes, body)
        line.removeAll(keepingCapacity: true)
        swap(&line, &carry)
    }

    @inline(__always)
    private mutating func scanLine(
        _ bytes: RawSpan,
        _ line: Range<Int>,
        _ body: (ExpositionSample, RawSpan) -> Void
    ) {
        if !statistics.isEnded, line.count <= Self.lineBytesMax, wanted.isOther(bytes, lineAt: line.lowerBound) {
            statistics.lines += 1
        } else {
            scan(bytes.extracting(line), body)
        }
    }

    private mutating func scan(_ line: RawSpan, _ body: (ExpositionSample, RawSpan) -> Void) {
        if statistics.isEnded { return }
        statistics.lines += 1
        if line.byteCount > Self.lineBytesMax {
            statistics.oversizedLines += 1
            return
        }
        let start = line.skippingBlanks(from: 0)
        if start == line.byteCount { return }
        if line[start] == UInt8(ascii: "#") {
            scanComment(line, from: start + 1)
        } else if let (name, end) = wanted.sampleNames.match(line, at: start) {
            scanSample(line, name, from: end, body)
        }
    }

    /// `# TYPE name type`; every other comment but OpenMetrics' end mark is of no interest.
    private mutating func scanComment(_ line: RawSpan, from start: Int) {
        let keyword = line.skippingBlanks(from: start)
        guard keyword < line.byteCount else { return }
        if line[keyword] == UInt8(ascii: "E"), format == .openMetrics {
            let end = line.tokenEnd(from: keyword)
            statistics.isEnded = line.isEqual(keyword..<end, "EOF") && line.skippingBlanks(from: end) == line.byteCount
            return
        }
        guard line[keyword] == UInt8(ascii: "T") else { return }
        let keywordEnd = line.tokenEnd(from: keyword)
        guard line.isEqual(keyword..<keywordEnd, "TYPE") else { return }
        let start = line.skippingBlanks(from: keywordEnd)
        guard let (name, end) = wanted.familyNames.match(line, at: start) else { return }
        let typeStart = line.skippingBlanks(from: end)
        let typeEnd = line.tokenEnd(from: typeStart)
        guard let type = ExpositionType(name: line.extracting(typeStart..<typeEnd)) else {
            statistics.malformedLines += 1
            return
        }
        for member in wanted.membersByFamilyName[name] where member.types?.contains(type) ?? true {
            let metric = member.metric
            if types[metric] != .untyped, !redeclared.contains(metric) { redeclared.append(metric) }
            types[metric] = type
        }
    }

    /// What follows a wanted name: `{labels} value timestamp # exemplar`, all but the value optional.
    private mutating func scanSample(
        _ line: RawSpan,
        _ name: Int,
        from nameEnd: Int,
        _ body: (ExpositionSample, RawSpan) -> Void
    ) {
        guard let parts = SampleParts(line, from: nameEnd, format) else {
            statistics.malformedLines += 1
            return
        }
        for metric in wanted.metricsBySampleName[name] {
            let sample = ExpositionSample(
                metric: metric,
                value: parts.value,
                timestampMilliseconds: parts.timestampMilliseconds,
                type: types[metric],
                labels: parts.labels
            )
            var isSelected = true
            for match in wanted.metrics[metric].selector where !sample.isLabel(match.label, match.value, in: line) {
                isSelected = false
                break
            }
            if isSelected {
                statistics.samples += 1
                body(sample, line)
            }
        }
    }
}

/// The parts of a sample's line after the name.
private struct SampleParts {
    let labels: Range<Int>
    let value: Double
    let timestampMilliseconds: Int64?

    init?(_ line: RawSpan, from nameEnd: Int, _ format: ExpositionFormat) {
        var offset = line.skippingBlanks(from: nameEnd)
        if offset < line.byteCount, line[offset] == UInt8(ascii: "{") {
            guard let end = LabelCursor.end(of: line, from: offset + 1) else { return nil }
            labels = (offset + 1)..<end
            offset = line.skippingBlanks(from: end + 1)
        } else {
            labels = offset..<offset
        }
        let valueEnd = line.tokenEnd(from: offset)
        guard let value = DecimalReader.double(line, offset..<valueEnd) else { return nil }
        self.value = value
        offset = line.skippingBlanks(from: valueEnd)
        guard offset < line.byteCount, line[offset] != UInt8(ascii: "#") else {
            timestampMilliseconds = nil
            return
        }
        let timestampEnd = line.tokenEnd(from: offset)
        guard let timestamp = Self.timestamp(line, offset..<timestampEnd, format) else { return nil }
        timestampMilliseconds = timestamp
        offset = line.skippingBlanks(from: timestampEnd)
        guard offset == line.byteCount || line[offset] == UInt8(ascii: "#") else { return nil }
    }

    /// Milliseconds in Prometheus text, seconds with a fraction in OpenMetrics.
    private static func timestamp(_ line: RawSpan, _ range: Range<Int>, _ format: ExpositionFormat) -> Int64? {
        switch format {
        case .prometheusText:
            return DecimalReader.integer(line, range)
        case .openMetrics:
            guard let seconds = DecimalReader.double(line, range), seconds.isFinite else { return nil }
            return Int64(exactly: (seconds * 1000).rounded())
        }
    }
}
