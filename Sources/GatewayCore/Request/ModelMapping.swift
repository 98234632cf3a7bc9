/// Which base model an adapter belongs to, as the ConfigMaps of body-based routing tell it.
///
/// An immutable value that is made anew of all maps whenever one of them changes, so that nothing of a map that is gone
/// or was rewritten can stay behind, and a base model lives as long as any map names it.
package struct ModelMapping: Hashable, Sendable {
    /// One base model with some of its adapters: the content of one ConfigMap. A large list of adapters may be cut into
    /// several with the same base model.
    package struct Entry: Hashable, Sendable {
        /// What a warning calls the entry, such as the ConfigMap's `namespace/name`.
        package var source: String
        /// The base model.
        package var baseModel: String
        /// Adapters of the base model.
        package var adapters: [String]

        /// Makes an entry. White space around names does not count, and empty adapters are left out.
        package init(source: String, baseModel: String, adapters: [String] = []) {
            self.source = source
            self.baseModel = baseModel
            self.adapters = adapters
        }
    }

    private var baseModels: Set<String> = []
    private var baseModelOfAdapter: [String: String] = [:]
    /// What of the entries has no effect: sentences for the log, at most two for each entry.
    package private(set) var warnings: [String] = []

    /// Makes a mapping of entries in their order: an adapter that stands in several belongs to the first. An entry
    /// whose base model is empty or can be no header field is left out.
    package init(_ entries: [Entry] = []) {
        var sourceOfAdapter: [String: String] = [:]
        for entry in entries {
            let base = entry.baseModel.trimmingWhitespace()
            guard !base.isEmpty, FieldValueFault(base) == nil else {
                warnings.append("\(entry.source) is left out: its base model is empty or can be no header field.")
                continue
            }
            baseModels.insert(base)
            var taken: [(adapter: String, by: String)] = []
            for adapter in entry.adapters.lazy.map({ $0.trimmingWhitespace() }) where !adapter.isEmpty {
                if let first = sourceOfAdapter[adapter] {
                    if first != entry.source { taken.append((adapter, first)) }
                } else {
                    sourceOfAdapter[adapter] = entry.source
                    baseModelOfAdapter[adapter] = base
                }
            }
            warn(of: taken, in: entry)
        }
    }

    /// Whether it knows no model.
    package var isEmpty: Bool { baseModels.isEmpty }

    /// The base model of `name`, which may be an adapter or a base model itself; `nil` when no entry has it. White
    /// space around the name does not count.
    package func baseModel(of name: String) -> String? {
        guard !isEmpty else { return nil }
        let name = name.trimmingWhitespace()
        return baseModelOfAdapter[name] ?? (baseModels.contains(name) ? name : nil)
    }

    private mutating func warn(of taken: [(adapter: String, by: String)], in entry: Entry) {
        guard let first = taken.first else { return }
        let base = baseModelOfAdapter[first.adapter] ?? ""
        let more = taken.count > 1 ? "; so are \(taken.count - 1) more" : ""
        warnings.append(
            "The adapter '\(first.adapter)' of \(entry.source) is left out: it already belongs to the base model "
                + "'\(base)' by \(first.by)\(more)."
        )
    }
}
