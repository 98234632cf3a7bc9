import GatewayCore
import Testing

@testable import GatewayConfiguration

/// Real configurations with random damage: decoding must answer or refuse, never trap, and refuse with positions.
@Suite struct ConfigurationFuzzTests {
    private static let pieces = [
        ":", "- ", "\n", "  ", "{", "}", "[", "]", "&a ", "*a", "? ", "|\n", "!!int ", "\"", "'", "#", "---\n", "null", "-1",
        "99999999999999999999", "1e999", ".nan", "\t", "\u{0}", "\u{85}", "é", "\u{FEFF}", "%TAG ! x\n", "<<: ", "true",
    ]

    private func damage(_ text: String, _ random: inout SplitMix) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random)!.utf8, at: index)
            case 3: bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...40, using: &random)))
            default:
                let source = Int.random(in: 0..<bytes.count, using: &random)
                let slice = Array(bytes[source..<min(bytes.count, source + 30)])
                bytes.insert(contentsOf: slice, at: index)
            }
            if bytes.isEmpty { bytes = [0x61] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func damagedConfigurationsAreReadOrRefused() {
        var random = SplitMix(seed: 20_260_101)
        let documents = (SampleConfiguration.complete + "---\n" + EndpointPickerConfigurationTests.complete)
            .split(separator: "---\n").map(String.init)
        var read = 0
        var refused = 0
        for round in 0..<3_000 {
            do throws(ConfigurationError) {
                let text = damage(documents[round % documents.count], &random)
                let values = try YAMLDocumentReader().read(text, file: "f.yaml")
                let set = try ConfigurationSet.decode(documents: values)
                for picker in set.endpointPickers { _ = try picker.applyingDefaults(knownPlugins: testPlugins) }
                read += 1
            } catch {
                #expect(error.problems.allSatisfy { !$0.message.isEmpty && $0.position.file == "f.yaml" })
                refused += 1
            }
        }
        // Both must have happened often, or the damage is of the wrong size.
        #expect(read > 100 && refused > 100, "\(read) read, \(refused) refused")
    }

    @Test func whatIsReadIsPrintedAndReadAgain() throws {
        var random = SplitMix(seed: 5)
        let text = EndpointPickerConfigurationTests.complete
        for _ in 0..<1_000 {
            guard let values = try? YAMLDocumentReader().read(damage(text, &random), file: "f.yaml") else { continue }
            for value in values {
                // Not-a-number is the one value that differs from itself.
                guard value == value else { continue }
                #expect(try YAMLDocumentReader().read(YAMLPrinter.print(value), file: "g.yaml") == [value])
            }
        }
    }

    @Test func anyTextIsADurationAQuantityOrNeither() {
        var random = SplitMix(seed: 9)
        let letters = Array("0123456789.-+eEmskKMGTPnuhiµ ")
        for _ in 0..<20_000 {
            let text = String((0..<Int.random(in: 0...24, using: &random)).map { _ in letters.randomElement(using: &random)! })
            if let duration = GoDuration.parse(text) { #expect(GoDuration.parse(GoDuration.format(duration)) == duration) }
            if let duration = GoDuration.parseGatewayAPI(text) { #expect(GoDuration.parse(text) == duration) }
            if let amount = Quantity.parse(text) { #expect(Quantity.parse("\(amount)") == amount) }
        }
    }
}
