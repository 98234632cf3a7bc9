import GatewayCore

/// The plugins of a pipeline in the order in which traces number them, so that a trace names them with one number each.
final class TraceOutline: Sendable {
    /// A plugin in one of its places.
    struct Entry: Sendable {
        let stage: SchedulingTrace.Step.Stage
        let name: String
        let type: String
        var weight = 1.0
    }

    /// The screeners, producers and admitters, then the filters, scorers and the picker of each profile, and behind all
    /// the saturation detector, where flow control leaves out endpoints that are full.
    let entries: [Entry]
    /// The names of the profiles.
    let profiles: [String]
    /// The number of the first producer.
    let producers: Int
    /// The number of the first admitter.
    let admitters: Int
    /// The number of each profile's first plugin.
    let firstOfProfile: [Int]
    /// The number of the saturation detector.
    let detector: Int
    /// The scorers of all profiles.
    let scorerCount: Int

    init(_ pipeline: PluginPipeline) {
        let types = Dictionary(pipeline.plugins.map { ($0.name, $0.type) }) { first, _ in first }
        func entry(_ stage: SchedulingTrace.Step.Stage, _ name: String, weight: Double = 1) -> Entry {
            Entry(stage: stage, name: name, type: types[name] ?? name, weight: weight)
        }
        var entries = pipeline.screeners.map { entry(.screener, $0.name) }
        producers = entries.count
        entries += pipeline.producers.map { entry(.producer, $0.name) }
        admitters = entries.count
        entries += pipeline.admitters.map { entry(.admitter, $0.name) }
        var firsts: [Int] = []
        for profile in pipeline.profiles {
            firsts.append(entries.count)
            entries += profile.filters.map { entry(.filter, $0.name) }
            entries += profile.scorers.map { entry(.scorer, $0.name, weight: $0.weight) }
            entries.append(entry(.picker, profile.pickerName))
        }
        detector = entries.count
        if let plugin = pipeline.saturationDetector {
            entries.append(entry(.screener, type(of: plugin).descriptor.type))
        }
        self.entries = entries
        profiles = pipeline.profiles.map(\.name)
        firstOfProfile = firsts
        scorerCount = pipeline.profiles.reduce(0) { $0 + $1.scorers.count }
    }
}
