package import GatewayCore

/// An InferenceModelRewrite: which model a request gets in place of the one it asked for.
package struct InferenceModelRewriteResource: Sendable {
    /// A model and its share of the requests.
    package struct Target: Hashable, Sendable {
        /// The model that the endpoint is asked for.
        package let model: String
        /// The share in relation to the rule's other targets, 1 to 1,000,000; all targets have 1 when none has a
        /// weight.
        package let weight: Int
    }

    /// The models that match, and what they become.
    package struct Rule: Hashable, Sendable {
        /// The model names that match exactly; none matches every request, after the exact rules of all rewrites.
        package let models: [String]
        /// What a matching request becomes, at least one.
        package let targets: [Target]
        /// Where the rule stands.
        package let position: SourcePosition
        /// Its path in the document.
        package let path: String
    }

    /// What identifies the rewrite.
    package let metadata: ResourceMetadata
    /// The pool whose requests are rewritten.
    package let pool: ResourceReference
    /// The rules in written order, at least one.
    package let rules: [Rule]
    /// The header field by whose value requests stay with one target; `nil` when each request is drawn. An annotation
    /// says so, because the resource has no field for it.
    package var stickyHeader: String? { metadata.stickyHeader }

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        self.metadata = metadata
        let spec = document.requiredObject("spec")
        document.accept("status")
        pool = spec.poolReference("poolRef", namespace: metadata.id.namespace)
        rules = spec.objects("rules").map(Self.rule)
        if rules.isEmpty { spec.report("a rewrite needs a rule", at: "rules") }
    }

    init(metadata: ResourceMetadata, pool: ResourceReference, rules: [Rule]) {
        self.metadata = metadata
        self.pool = pool
        self.rules = rules
    }

    private static func rule(_ decoder: ParameterDecoder) -> Rule {
        let models = decoder.objects("matches").map { match in
            let model = match.requiredObject("model")
            let type = model.string("type", default: "Exact")
            if type != "Exact" {
                let message = "\(ConfigurationProblem.quoted(type)) is not a match type, only Exact is"
                model.report(message, at: "type", candidates: ["Exact"], name: type)
            }
            return model.modelName("value")
        }
        return Rule(
            models: models,
            targets: targets(decoder, key: "targets", nameKey: "modelRewrite"),
            position: decoder.position,
            path: decoder.path
        )
    }

    /// The weighted models in the list at `key`; either all of them have a weight or none has.
    static func targets(_ decoder: ParameterDecoder, key: String, nameKey: String) -> [Target] {
        let entries = decoder.objects(key)
        let weights = entries.map { $0.int("weight", in: 1...1_000_000) }
        let weighted = entries.filter { $0.contains("weight") }.count
        if entries.isEmpty { decoder.report("a rule needs a target", at: key) }
        if weighted != 0, weighted != entries.count {
            let message =
                "\(weighted) of \(entries.count) targets have a weight; either all of them or none must have one"
            decoder.report(message, at: key)
        }
        return zip(entries, weights).map { entry, weight in
            Target(model: entry.modelName(nameKey), weight: weight ?? 1)
        }
    }
}

extension ParameterDecoder {
    /// The name of a model at `key`, which must be one that requests can have. Stand-in: `""`.
    func modelName(_ key: String) -> String {
        let name = requiredString(key)
        switch FieldValueFault(name) {
        case nil: break
        case .tooLong(let count):
            report("the name of a model has at most \(FieldValueFault.bytesMax) bytes, not \(count)", at: key)
        case .controlCharacter(let byte):
            report("\(ConfigurationProblem.quoted(name)) has the control character \(byte)", at: key)
        }
        return name
    }
}
