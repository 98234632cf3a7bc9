/// The values that a label may have, and whether it may be absent.
struct LabelValues: Sendable {
    /// The label's key.
    let key: String
    /// What it may be.
    let values: Set<String>
    /// Whether something without the label passes.
    let allowsAbsence: Bool

    /// Whether something with `labels` passes.
    func accepts(_ labels: [String: String]) -> Bool {
        labels[key].map { values.contains($0) } ?? allowsAbsence
    }
}
