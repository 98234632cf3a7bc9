import Foundation
import Testing

@testable import MartletApp

@Suite("Golden configurations")
struct GoldenConfigurationTests {
    @Test("martlet check says what it said", arguments: GoldenCase.all)
    func outcome(of golden: GoldenCase) throws {
        let outcome = golden.run()
        if GoldenCase.isUpdating { try golden.update(to: outcome) }
        let expected = golden.expected()
        for suffix in GoldenCase.Outcome.suffixes {
            #expect(outcome.files[suffix] == expected.files[suffix], "\(golden.name)\(suffix)")
        }
    }

    @Test("the canonical form of a canonical form is itself", arguments: GoldenCase.all)
    func idempotence(of golden: GoldenCase) {
        guard let canonical = golden.run().canonical else { return }
        let again = golden.run(text: canonical)
        #expect(again.error == nil)
        #expect(again.canonical == canonical)
    }

    @Test("the order of keys does not matter")
    func order() {
        let forms = GoldenCase.all.filter { $0.name.hasPrefix("schema/order-") }.map { $0.run().canonical }
        #expect(forms.count == 2)
        #expect(forms.allSatisfy { $0 != nil && $0 == forms[0] })
    }

    @Test("there are enough cases, and no expectation without one")
    func cases() {
        let names = Set(GoldenCase.all.map(\.name))
        #expect(names.count == GoldenCase.all.count)
        #expect(names.count >= 80)
        #expect(GoldenCase.all.count { $0.expected().error != nil } >= 20)
        for path in GoldenCase.paths {
            guard let suffix = GoldenCase.Outcome.suffixes.first(where: { path.hasSuffix($0) }) else { continue }
            #expect(names.contains(String(path.dropLast(suffix.count))), "\(path)")
        }
    }
}
