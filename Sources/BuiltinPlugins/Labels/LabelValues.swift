/// The values that a label may have, and whether it may be absent.
struct LabelValues: Sendable {
    /// The label's key.
    let key: String
    /// What it may be.
    let values: Set<String>
    /// Whether something without the label passes.
    let allowsAbsence: Bool
    /// Both in words.
    let rule: String

    /// Makes the values.
    init(key: String, values: Set<String>, allowsAbsence: Bool) {
        self.key = key
        self.values = values
        self.allowsAbsence = allowsAbsence
        let named = values.isEmpty ? [] : ["\(key) in (\(values.sorted().joined(separator: ", ")))"]
        rule = (named + (allowsAbsence ? ["no \(key)"] : [])).joined(separator: " or ")
    }

    /// Whether something with `labels` passes.
    func accepts(_ labels: [String: String]) -> Bool {
        labels[key].map { values.contains($0) } ?? allowsAbsence
    }
}
