import Testing

@testable import ExtProcProto

/// Cut, damaged and random messages. Seeded, so that a failure comes again.
@Suite struct HostileBytesTests {
    private static let samples = OracleFixtures.requests.map(\.wire.bytes).filter { $0.count < 1_000 }

    /// Reads all that can be read of a message and checks that it lies within it. Returns whether it was read.
    @discardableResult
    private func exercise(_ bytes: [UInt8]) -> Bool {
        let span = bytes.span.bytes
        do throws(WireError) {
            let request = try read(bytes)
            var ranges: [Range<Int>] = []
            switch request.part {
            case .requestHeaders(let headers), .responseHeaders(let headers):
                var count = 0
                headers.fields.forEach(in: span) { field in
                    ranges += [field.name, field.value]
                    count += 1
                }
                if count != headers.fields.count { Issue.record("\(count) fields walked over: \(bytes)") }
            case .requestBody(let body), .responseBody(let body): ranges.append(body.body)
            case .requestTrailers(let fields), .responseTrailers(let fields):
                fields.forEach(in: span) { field in ranges += [field.name, field.value] }
            case nil: break
            }
            if ranges.contains(where: { $0.upperBound > bytes.count }) { Issue.record("\(bytes)") }
            for name in ["envoy.lb", "envoy.lb.subset_hint", "envoy.filters.http.ext_proc", "b", ""] {
                for map in [request.metadata, request.attributes] {
                    let structure = map.structure(name, in: span)
                    // What was read can be written and read again.
                    if let structure, structure.encoded.count != structure.size { Issue.record("\(bytes)") }
                }
            }
            return true
        } catch {
            if error.byteOffset > bytes.count || error.description.isEmpty { Issue.record("\(bytes)") }
            return false
        }
    }

    @Test func `messages cut anywhere are refused or shorter`() {
        #expect(Self.samples.count > 30)
        var (read, refused) = (0, 0)
        for sample in Self.samples {
            for count in 0..<sample.count {
                if exercise(Array(sample[..<count])) { read += 1 } else { refused += 1 }
            }
        }
        #expect(read > 50 && refused > 3_000)
    }

    @Test func `damaged messages are read or refused`() {
        var generator = SeededGenerator(seed: 10)
        var read = 0
        for round in 0..<8_000 {
            let bytes = damaged(Self.samples[round % Self.samples.count], &generator)
            if exercise(bytes) { read += 1 }
        }
        #expect(read > 500 && read < 6_000)
    }

    @Test func `random bytes are read or refused`() {
        var generator = SeededGenerator(seed: 12)
        let tags: [UInt8] = [0x12, 0x22, 0x32, 0x42, 0x4A, 0x50, 0x5A, 0x0A, 0x1A, 0x08, 0x2A, 0x32, 0x00, 0x80, 0x0B]
        for _ in 0..<8_000 {
            let bytes = (0..<Int.random(in: 1...40, using: &generator)).map { _ in
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: tags[Int.random(in: tags.indices, using: &generator)]
                case 1: UInt8.random(in: 0...20, using: &generator)
                default: UInt8.random(in: 0...255, using: &generator)
                }
            }
            exercise(bytes)
            _ = try? HealthCheckRequest(reading: bytes.span.bytes)
            var reader = GRPCMessageReader(limit: 100)
            var offset = 0
            while (try? reader.next(in: bytes.span.bytes, from: &offset)) != nil {}
        }
    }

    @Test func `every byte of a small message set to every value`() {
        let metadata = Wire.structEntry(1, "", ["k": .list([.null])])
        let bytes = Wire.bytes(2, Wire.headerMap(1, [("a", "b")])) + Wire.bytes(8, metadata)
        for index in bytes.indices {
            for value in UInt8.min...UInt8.max {
                var copy = bytes
                copy[index] = value
                exercise(copy)
            }
        }
    }

    private func damaged(_ sample: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = sample
        for _ in 0..<Int.random(in: 1...3, using: &generator) where !bytes.isEmpty {
            let position = Int.random(in: bytes.indices, using: &generator)
            switch Int.random(in: 0..<7, using: &generator) {
            case 0, 1: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes[position] = UInt8.random(in: 0...255, using: &generator)
            case 3: bytes.remove(at: position)
            case 4: bytes.insert([0x80, 0xFF, 0x0B, 0x0C][Int.random(in: 0..<4, using: &generator)], at: position)
            case 5: bytes.removeSubrange(position...)
            default:
                let end = min(bytes.count, position + Int.random(in: 1...16, using: &generator))
                bytes.insert(contentsOf: bytes[position..<end], at: Int.random(in: 0...bytes.count, using: &generator))
            }
        }
        return bytes
    }
}
