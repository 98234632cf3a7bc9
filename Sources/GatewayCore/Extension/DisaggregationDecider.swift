/// Says whether a request is worth a stage of its own on another endpoint.
package protocol DisaggregationDecider: Plugin {
    /// Whether the stage runs.
    ///
    /// - Parameters:
    ///   - context: the request, with what the producers wrote of it.
    ///   - decode: the endpoint that will answer; `nil` while it is not chosen.
    func disaggregates(_ context: SchedulingContext, decode: EndpointSnapshot?) -> Bool
}
