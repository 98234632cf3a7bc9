/// A filter with the name that the configuration gave it.
package struct NamedFilter: Sendable {
    /// The plugin's name.
    package let name: String
    /// The filter.
    package let filter: any Filter

    /// Makes a named filter.
    package init(name: String, filter: any Filter) {
        self.name = name
        self.filter = filter
    }
}

/// A scorer with its name and how much its scores count.
package struct WeightedScorer: Sendable {
    /// The plugin's name.
    package let name: String
    /// What a score is multiplied by; finite. Weights are not normalised.
    package let weight: Double
    /// The scorer.
    package let scorer: any Scorer

    /// Makes a weighted scorer; `weight` must be finite.
    package init(name: String, weight: Double = 1, scorer: any Scorer) {
        precondition(weight.isFinite, "the weight of scorer '\(name)' is \(weight)")
        self.name = name
        self.weight = weight
        self.scorer = scorer
    }
}

/// One way to choose endpoints: filters narrow the candidates, scorers rate them, a picker chooses.
package struct SchedulingProfile: Sendable {
    /// The profile's name, unique in its pipeline.
    package let name: String
    /// The filters, in the order in which they run.
    package let filters: [NamedFilter]
    /// The scorers, in the order in which they run.
    package let scorers: [WeightedScorer]
    /// The picker's name.
    package let pickerName: String
    /// The picker.
    package let picker: any Picker

    /// Makes a profile; see the properties.
    package init(
        name: String,
        filters: [NamedFilter] = [],
        scorers: [WeightedScorer] = [],
        pickerName: String,
        picker: any Picker
    ) {
        self.name = name
        self.filters = filters
        self.scorers = scorers
        self.pickerName = pickerName
        self.picker = picker
    }
}
