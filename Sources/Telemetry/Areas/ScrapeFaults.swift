/// What of an endpoint's page a fault is about; the label `field` of its counter.
package enum ScrapedField: String, Sendable, Hashable, CaseIterable {
    /// A metrics page as a whole.
    case page
    /// The list of models.
    case modelList = "model_list"
    case queuedRequests = "queued_requests"
    case runningRequests = "running_requests"
    case kvCacheUsage = "kv_cache_usage"
    case loraInfo = "lora_info"
    case cacheInfo = "cache_info"
    case cacheBlockSize = "cache_block_size"
    case cacheBlockCount = "cache_block_count"
    /// The counter that tells of restarts. A page without it has no fault.
    case workDone = "work_done"
    /// A number that the configuration reads beside those above.
    case attribute
}

/// What is wrong with a field; the label `reason` of its counter.
package enum ScrapeFaultReason: String, Sendable, Hashable, CaseIterable {
    /// The page does not have it, or there is no page; its last value stays.
    case missing
    /// It is neither a gauge nor a counter.
    case wrongType = "wrong_type"
    /// It is NaN, or infinite where only finite numbers count.
    case notANumber = "not_a_number"
    /// It was moved to the nearest value that is possible, or left out.
    case outOfRange = "out_of_range"
    /// Its text cannot be read.
    case unreadable
    /// Its family stands on the page more than once; the first series counts.
    case duplicate
    /// The page ends in the middle of a line; what stands before that line counts.
    case truncated
    /// The page is over the limit of its size.
    case tooLarge = "too_large"
    /// It did not come in time.
    case timedOut = "timed_out"
    /// Nobody listens where it is asked for.
    case unreachable
    /// The answer has a status other than 200; 404 means that the page is missing.
    case status
}
