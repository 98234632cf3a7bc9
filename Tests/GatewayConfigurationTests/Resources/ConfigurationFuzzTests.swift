import GatewayCore
import Testing

@testable import GatewayConfiguration

/// Real configurations with random damage: decoding must answer or refuse, never trap, and refuse with positions.
@Suite struct ConfigurationFuzzTests {
    private static let pieces = [
        ":", "- ", "\n", "  ", "{", "}", "[", "]", "&a ", "*a", "? ", "|\n", "!!int ", "\"", "'", "#", "---\n", "null",
        "-1",
        "99999999999999999999", "1e999", ".nan", "\t", "\u{0}", "\u{85}", "é", "\u{FEFF}", "%TAG ! x\n", "<<: ", "true",
    ]

    /// `text` with one to three wounds: a byte, a piece, a gap, a doubled part, or a word in the place of another.
    private func damage(_ text: String, _ random: inout SplitMix) -> String {
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let index = Int.random(in: 0..<bytes.count, using: &random)
            let other = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<8, using: &random) {
            case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(contentsOf: Self.pieces.randomElement(using: &random)!.utf8, at: index)
            case 3: bytes.removeSubrange(index..<min(bytes.count, index + Int.random(in: 1...40, using: &random)))
            case 4: bytes.insert(contentsOf: Array(bytes[other..<min(bytes.count, other + 30)]), at: index)
            default: bytes.replaceSubrange(word(at: index, in: bytes), with: Array(bytes[word(at: other, in: bytes)]))
            }
            if bytes.isEmpty { bytes = [0x61] }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The letters, digits and marks around `index` that make a scalar.
    private func word(at index: Int, in bytes: [UInt8]) -> Range<Int> {
        let isPart = { (byte: UInt8) in !" \n,:{}[]\"".utf8.contains(byte) }
        let start = bytes[..<index].lastIndex { !isPart($0) }.map { $0 + 1 } ?? 0
        let end = bytes[index...].firstIndex { !isPart($0) } ?? bytes.count
        return start..<max(start, end)
    }

    @Test func damagedConfigurationsAreReadOrRefused() {
        var random = SplitMix(seed: 20_260_101)
        let documents = (SampleConfiguration.complete + "---\n" + EndpointPickerConfigurationTests.complete)
            .split(separator: "---\n").map(String.init)
        var parsed = 0
        var read = 0
        var refused = 0
        for round in 0..<2_000 {
            do throws(ConfigurationError) {
                let text = damage(documents[round % documents.count], &random)
                let values = try YAMLDocumentReader().read(text, file: "f.yaml")
                parsed += 1
                let set = try ConfigurationSet.decode(documents: values)
                for picker in set.endpointPickers { _ = try picker.applyingDefaults(knownPlugins: testPlugins) }
                read += 1
            } catch {
                #expect(error.problems.allSatisfy { !$0.message.isEmpty && $0.position.file == "f.yaml" })
                // A document that stands alone refers to others in vain; it was still read to its end.
                if error.problems.allSatisfy({ $0.message.hasPrefix("there is no") }) {
                    read += 1
                } else {
                    refused += 1
                }
            }
        }
        // Each must have happened often, or the damage is of the wrong size.
        #expect(parsed > 500 && read > 50 && refused > 500, "\(parsed) parsed, \(read) read, \(refused) refused")
    }

    @Test func whatIsReadIsPrintedAndReadAgain() throws {
        var random = SplitMix(seed: 5)
        let text = EndpointPickerConfigurationTests.complete
        for _ in 0..<300 {
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
        for _ in 0..<5_000 {
            let text = String(
                (0..<Int.random(in: 0...24, using: &random)).map { _ in letters.randomElement(using: &random)! })
            if let duration = GoDuration.parse(text) {
                #expect(GoDuration.parse(GoDuration.format(duration)) == duration)
            }
            if let duration = GoDuration.parseGatewayAPI(text) { #expect(GoDuration.parse(text) == duration) }
            if let amount = Quantity.parse(text) { #expect(Quantity.parse("\(amount)") == amount) }
        }
    }
}
