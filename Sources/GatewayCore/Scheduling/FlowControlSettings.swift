/// What a configuration says of flow control, with the policies that it names.
package struct FlowControlSettings: Sendable {
    /// How the requests of one priority wait.
    package struct Band: Sendable {
        /// The most bytes of waiting requests.
        package var maxBytes: Int
        /// The most waiting requests.
        package var maxRequests: Int
        /// Whose turn it is.
        package var fairness: any FairnessPolicy
        /// Who is first in a flow.
        package var ordering: any OrderingPolicy

        /// Makes a band; limits are 1 or more.
        package init(
            maxBytes: Int = 1_000_000_000,
            maxRequests: Int = 5_000,
            fairness: any FairnessPolicy,
            ordering: any OrderingPolicy
        ) {
            self.maxBytes = maxBytes
            self.maxRequests = maxRequests
            self.fairness = fairness
            self.ordering = ordering
        }
    }

    /// The most bytes of all waiting requests; `nil` for no limit.
    package var maxBytes: Int?
    /// The most waiting requests; `nil` for no limit.
    package var maxRequests: Int?
    /// How long a request waits while the pool has endpoints; `nil` for ever.
    package var requestTTL: Duration? = .seconds(60)
    /// How long a request waits while the pool has no endpoint; `nil` for ever.
    package var noEndpointTTL: Duration? = .seconds(60)
    /// The bands of single priorities.
    package var bands: [Int: Band] = [:]
    /// The template for priorities from 0 up that have no band of their own.
    package var template: Band
    /// The template for negative priorities that have no band of their own.
    package var negativeTemplate: Band
    /// Up to which saturation each priority may use the pool.
    package var usageLimit: any UsageLimitPolicy
    /// Who may be ended for more important requests, and in which order; `nil` when nobody is.
    package var eviction: [any EvictionPolicy]?
    /// The share of dispatches that go to lower priorities while higher ones wait, 0 ..< 1. With 0 a priority waits
    /// until nobody above it does.
    package var lowerPriorityShare = 0.0
    /// The most flows that a band tells apart, at least 1; the requests of further ones share one flow.
    package var maxFlows = 1_000

    /// Makes settings with the documented defaults and `template` for every priority.
    package init(template: Band, usageLimit: any UsageLimitPolicy) {
        self.template = template
        negativeTemplate = template
        self.usageLimit = usageLimit
    }

    /// How requests of `priority` wait.
    package func band(of priority: Int) -> Band {
        bands[priority] ?? (priority < 0 ? negativeTemplate : template)
    }

    /// Whether any band's order reads the tokens that no endpoint holds.
    package var readsUncachedTokens: Bool {
        ([template, negativeTemplate] + bands.values).contains { $0.ordering.readsUncachedTokens }
    }
}
