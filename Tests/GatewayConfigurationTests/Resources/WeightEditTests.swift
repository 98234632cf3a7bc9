import Foundation
import GatewayCore
import Testing

@testable import GatewayConfiguration

@Suite("A weight is changed where it is written") struct WeightEditTests {
    private let text = """
        # Weights: mind the § and the 猫.
        apiVersion: inference.networking.x-k8s.io/v1alpha2
        kind: InferenceModelRewrite
        metadata: {name: other}
        spec:
          poolRef: {name: pool}
          rules: [{targets: [{modelRewrite: new, weight: 7}]}]
        ---
        apiVersion: inference.networking.x-k8s.io/v1alpha2
        kind: InferenceModelRewrite
        metadata:
          name: canary
          namespace: prod
        spec:
          poolRef: {name: pool}
          rules:
          - matches: [{model: {value: "猫"}}]
            targets:
            - modelRewrite: old   # the one that is there
              weight: 90
            - {modelRewrite: new, weight: 10}   # the new one

        """

    private func edit(
        _ target: String = "new",
        to weight: Int = 25,
        of name: String = "canary",
        in text: String? = nil
    ) throws -> String? {
        let name = ResourceName(namespace: name == "canary" ? "prod" : "default", name: name)
        return try WeightEdit(rewrite: name, target: target, weight: weight).applied(to: text ?? self.text, file: "f")
    }

    private func refusal(_ target: String = "new", of name: String = "canary", in text: String) -> String {
        do { return "\(try edit(target, of: name, in: text) ?? "nil")" } catch { return "\(error)" }
    }

    @Test func everyOtherByteStays() throws {
        let edited = try #require(try edit())
        #expect(edited == text.replacingOccurrences(of: "new, weight: 10}", with: "new, weight: 25}"))
        let longer = try #require(try edit("old", to: 1_000_000))
        #expect(longer == text.replacingOccurrences(of: "weight: 90", with: "weight: 1000000"))
        let other = try #require(try edit(of: "other"))
        #expect(other == text.replacingOccurrences(of: "weight: 7", with: "weight: 25"))
    }

    @Test("however lines end", arguments: ["\r\n", "\n", "\r"])
    func lineEnds(_ end: String) throws {
        let text = text.replacingOccurrences(of: "\n", with: end)
        let edited = try #require(try edit(in: text))
        #expect(edited == text.replacingOccurrences(of: "weight: 10}", with: "weight: 25}"))
    }

    @Test func listsJSONAndModels() throws {
        let list =
            "kind: List\napiVersion: v1\nitems:\n- kind: InferenceModelRewrite\n  metadata: {name: a}\n"
            + "  spec: {rules: [{targets: [{modelRewrite: new, weight: 1}]}]}\n"
        #expect(try edit(of: "a", in: list) == list.replacingOccurrences(of: "weight: 1}", with: "weight: 25}"))
        let json =
            #"{"kind":"InferenceModel","metadata":{"name":"a"},"#
            + #""spec":{"targetModels":[{"name":"new","weight":1},{"name":"b","weight":1}]}}"#
        #expect(
            try edit(of: "a", in: json)
                == json.replacingOccurrences(of: #""new","weight":1"#, with: #""new","weight":25"#))
    }

    @Test func whatIsNotChanged() throws {
        #expect(try edit(of: "unheard-of") == nil)
        let head = "kind: InferenceModelRewrite\nmetadata: {name: a}\nspec: {rules: ["
        #expect(refusal("x", of: "a", in: head + "{targets: [{modelRewrite: new}]}]}").contains("has no target 'x'"))
        #expect(refusal(of: "a", in: head + "{targets: [{modelRewrite: new}]}]}").contains("no weight written out"))
        let twice = head + "{targets: [{modelRewrite: new, weight: 1}]}, {targets: [{modelRewrite: new, weight: 1}]}]}"
        #expect(refusal(of: "a", in: twice).contains("in 2 rules"))
        for weight in ["&w 5", "0x10", "\"5\"", "!!int 5", "5.0"] {
            let text = head + "{targets: [{modelRewrite: new, weight: \(weight)}]}]}"
            #expect(refusal(of: "a", in: text).contains("is not written as a plain number"), "\(weight)")
        }
        let alias =
            "kind: InferenceModelRewrite\nmetadata: {name: a}\nspec: {x: &w 5, rules: "
            + "[{targets: [{modelRewrite: new, weight: *w}]}]}"
        #expect(refusal(of: "a", in: alias).contains("is not written as a plain number"))
        for weight in [0, -1, 1_000_001] {
            #expect(throws: WeightEdit.Refusal.self) {
                try WeightEdit(rewrite: ResourceName(name: "a"), target: "b", weight: weight)
            }
        }
    }

    @Test func theFileOfAFolder() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "weights-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let real = folder.appending(path: "real.txt")
        try text.write(to: real, atomically: false, encoding: .utf8)
        try FileManager.default.createSymbolicLink(
            at: folder.appending(path: "b.yaml"), withDestinationURL: real)
        try "kind: Namespace\n".write(to: folder.appending(path: "a.yaml"), atomically: false, encoding: .utf8)
        let edit = try WeightEdit(
            rewrite: ResourceName(namespace: "prod", name: "canary"), target: "new", weight: 11)
        let file = try edit.edited(at: folder.path)
        #expect(file.path.hasSuffix("/b.yaml") && file.place.hasSuffix("/real.txt"))
        #expect(try file.text == self.edit(to: 11))
        #expect(try String(contentsOf: real, encoding: .utf8) == text)
        let unknown = try WeightEdit(rewrite: ResourceName(name: "x"), target: "new", weight: 11)
        let refusal = #expect(throws: WeightEdit.Refusal.self) { try unknown.edited(at: folder.path) }
        #expect(refusal?.isUnknown == true)
    }
}
