import Testing

@testable import Telemetry

@Suite struct ScannerFuzzTests {
    /// However a page is cut, the same comes out.
    @Test(arguments: Fixtures.allCases)
    func cutsDoNotMatter(_ fixture: Fixtures) throws {
        let page = try fixture.bytes()
        var scanner = ExpositionScanner(wanted: fixture.wanted)
        let whole = scanner.read(page)
        let statistics = scanner.statistics
        #expect(!whole.isEmpty)
        var generator = SplitMix(seed: 11)
        for round in 0..<20 {
            let longest = round < 2 ? 1 : 1 << Int.random(in: 1...14, using: &generator)
            let pieces = (0..<500).map { _ in Int.random(in: 1...longest, using: &generator) }
            #expect(scanner.read(page, pieces: pieces) == whole)
            #expect(scanner.statistics == statistics)
        }
    }

    /// Damaged excerpts of real pages: nothing traps, cuts still do not matter, and whatever is read was on the page.
    @Test(arguments: Fixtures.allCases)
    func damagedPages(_ fixture: Fixtures) throws {
        let seeds = try excerpts(fixture)
        let labels = ["model_name", "running_lora_adapters"]
        var generator = SplitMix(seed: 23)
        var scanner = ExpositionScanner(wanted: fixture.wanted)
        for _ in 0..<1_000 {
            var page = seeds[Int.random(in: seeds.indices, using: &generator)]
            for _ in 0..<Int.random(in: 1...8, using: &generator) { damage(&page, &generator) }
            let format: ExpositionFormat = Bool.random(using: &generator) ? .openMetrics : .prometheusText
            let whole = scanner.read(page, format, labels: labels)
            let statistics = scanner.statistics
            #expect(statistics.samples == whole.count)
            #expect(statistics.samples + statistics.malformedLines <= statistics.lines)
            let longest = Int.random(in: 1...64, using: &generator)
            #expect(scanner.read(page, format, pieces: [longest, 1, longest], labels: labels) == whole)
            #expect(scanner.statistics == statistics)
        }
    }

    /// Every reading of a number agrees with the standard library's.
    @Test func numbersAgreeWithTheStandardLibrary() {
        var generator = SplitMix(seed: 5)
        let alphabet = Array("0123456789012345678901234567890123456789..eE+-".utf8)
        for round in 0..<8_000 {
            let text: String
            if round.isMultiple(of: 2) {
                text = Double(bitPattern: generator.next()).description
            } else {
                let length = Int.random(in: 1...24, using: &generator)
                let bytes = (0..<length).map { _ in alphabet[Int.random(in: alphabet.indices, using: &generator)] }
                text = String(decoding: bytes, as: UTF8.self)
            }
            let bytes = Array(text.utf8)
            let ours = DecimalReader.double(bytes.span.bytes, 0..<bytes.count)
            let theirs = Double(text)
            #expect(ours?.bitPattern == theirs?.bitPattern || ours?.isNaN == true && theirs?.isNaN == true, "\(text)")
        }
    }

    /// The lines around each wanted metric, so that damage hits what is read.
    private func excerpts(_ fixture: Fixtures) throws -> [[UInt8]] {
        let lines = try fixture.bytes().split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let names = fixture.wanted.metrics.map { Array($0.name.utf8) }
        return lines.indices.filter { index in names.contains { lines[index].starts(with: $0) } }.map { index in
            Array(lines[max(0, index - 3)...min(lines.count - 1, index + 2)].joined(separator: [UInt8(ascii: "\n")]))
        }
    }

    private func damage(_ page: inout [UInt8], _ generator: inout SplitMix) {
        guard !page.isEmpty else { return }
        let syntax = Array("{}\",=# \n\\\t\r.eE+-0NIT_:".utf8)
        let at = Int.random(in: page.indices, using: &generator)
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: page[at] = UInt8.random(in: 0...255, using: &generator)
        case 1: page[at] = syntax[Int.random(in: syntax.indices, using: &generator)]
        case 2: page.insert(syntax[Int.random(in: syntax.indices, using: &generator)], at: at)
        case 3: page.removeSubrange(at..<min(page.count, at + Int.random(in: 1...40, using: &generator)))
        case 4:
            let end = min(page.count, at + Int.random(in: 1...40, using: &generator))
            page.insert(contentsOf: page[at..<end], at: Int.random(in: page.indices, using: &generator))
        default: page.removeSubrange(at...)
        }
    }
}
