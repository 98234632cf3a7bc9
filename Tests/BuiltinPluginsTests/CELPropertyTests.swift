import GatewayCore
import Testing

@testable import BuiltinPlugins

/// Random expressions and random texts. Seeded, so that a failure comes again.
@Suite struct CELPropertyTests {
    private let usages = [
        TokenUsage(promptTokens: 7, completionTokens: 10, cachedTokens: 3),
        TokenUsage(promptTokens: 0, completionTokens: 0, cachedTokens: 0),
        TokenUsage(promptTokens: .max, completionTokens: .max, cachedTokens: .min),
    ]

    /// A value as the reference has it.
    private func meaning(_ value: CELValue?) -> CELSample.Meaning? {
        switch value {
        case .int(let value): .whole(Int128(value), isSigned: true)
        case .uint(let value): .whole(Int128(value), isSigned: false)
        case .double(let value): .double(value)
        case .bool(let value): .bool(value)
        case .string, nil: nil
        }
    }

    private func equal(_ left: CELSample.Meaning?, _ right: CELSample.Meaning?) -> Bool {
        if case .double(let left)? = left, case .double(let right)? = right, left.isNaN, right.isNaN { return true }
        return left == right
    }

    @Test func randomExpressionsMeanWhatTheReferenceSays() throws {
        var random = RandomSource(seed: 1)
        var (values, errors) = (0, 0)
        for round in 0..<8_000 {
            let kind = CELSample.Kind.allCases[round % CELSample.Kind.allCases.count]
            let sample = CELSample.random(kind, depth: round % 7, &random)
            let text = sample.text(&random)
            guard text.utf8.count <= CELExpression.bytesMax else { continue }
            let expression = try CELExpression(text)
            for usage in usages {
                let (found, expected) = (meaning(expression.value(for: usage)), sample.meaning(usage))
                if !equal(found, expected) {
                    Issue.record("\(text)\nis \(String(describing: found)), not \(String(describing: expected))")
                }
                if expected == nil { errors += 1 } else { values += 1 }
            }
        }
        #expect(values > 10_000 && errors > 2_000)
    }

    /// What a type promises holds: operands of any types are refused, or give a value of the type.
    @Test func typesKeepTheirPromise() {
        var random = RandomSource(seed: 2)
        var (accepted, refused) = (0, 0)
        for _ in 0..<8_000 {
            let text = mixture(depth: 4, &random)
            guard text.utf8.count <= CELExpression.bytesMax, let expression = try? CELExpression(text) else {
                refused += 1
                continue
            }
            accepted += 1
            for usage in usages {
                let value = expression.value(for: usage)
                if let value, !keeps(value, expression.type) {
                    Issue.record("\(text): \(value) is no \(expression.type)")
                }
            }
        }
        #expect(accepted > 500 && refused > 500)
    }

    private func keeps(_ value: CELValue, _ type: CELType) -> Bool {
        switch (value, type) {
        case (.int, .int), (.uint, .uint), (.double, .double), (.bool, .bool), (.string, .string): true
        case (.int, .count), (.uint, .count), (.double, .count): true
        default: false
        }
    }

    /// An expression whose grammar is right and whose types are chance.
    private func mixture(depth: Int, _ random: inout RandomSource) -> String {
        let leaves = ["1", "2u", "1.5", "'a'", "true", "usage.prompt_tokens", "usage.x", "has(usage.x)", "usage", "-3"]
        guard depth > 0, Int.random(in: 0..<4, using: &random) > 0 else {
            return leaves.randomElement(using: &random) ?? "1"
        }
        func part() -> String { mixture(depth: depth - 1, &random) }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return "(\(part()) ? \(part()) : \(part()))"
        case 1: return "\(["!", "-"].randomElement(using: &random) ?? "!")(\(part()))"
        case 2: return "\(["int", "uint", "double"].randomElement(using: &random) ?? "int")(\(part()))"
        default:
            let signs = ["+", "-", "*", "/", "%", "==", "!=", "<", ">=", "&&", "||"]
            return "(\(part()) \(signs.randomElement(using: &random) ?? "+") \(part()))"
        }
    }

    @Test func anyTextIsAnExpressionOrAFaultWithinIt() {
        let words = [
            "usage", ".", "prompt_tokens", "has", "(", ")", "1", "9223372036854775807", "2u", ".5", "1e", "0x", "'a'",
            "'",
            "\"", "\\", "+", "-", "*", "/", "%", "==", "=", "<", ">=", "&&", "&", "||", "!", "?", ":", ",", " ", "\n",
            "//",
            "true", "int", "é", "\u{1F600}", "\0", "[", "int(", "has(usage.",
        ]
        var random = RandomSource(seed: 3)
        var accepted = 0
        for _ in 0..<30_000 {
            let count = Int.random(in: 0...14, using: &random)
            let text = (0..<count).map { _ in words.randomElement(using: &random) ?? "" }.joined()
            do throws(CELFault) {
                let expression = try CELExpression(text)
                accepted += 1
                for usage in usages { _ = expression.value(for: usage)?.wholeNumber }
            } catch {
                let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
                let isWithin =
                    lines.indices.contains(error.line - 1)
                    && 1...lines[error.line - 1].unicodeScalars.count + 1 ~= error.column
                if !isWithin { Issue.record("\(text): \(error)") }
            }
        }
        #expect(accepted > 100)
    }
}
