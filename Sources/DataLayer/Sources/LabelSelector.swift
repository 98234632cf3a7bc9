/// Selects by labels, as the `matchLabels` of a pool do: every listed label must be there with the listed value.
package struct LabelSelector: Hashable, Sendable {
    /// The labels that must be there.
    package var matchLabels: [String: String]

    /// Makes a selector; an empty one matches everything.
    package init(matchLabels: [String: String] = [:]) {
        self.matchLabels = matchLabels
    }

    /// Whether something with these labels is selected.
    package func matches(_ labels: [String: String]) -> Bool {
        matchLabels.allSatisfy { labels[$0.key] == $0.value }
    }
}
