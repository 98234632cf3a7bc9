import GatewayCore
import Synchronization

/// Which of a request's media each endpoint is believed to hold in the cache of its encoder.
final class EncoderCacheMatches: Sendable {
    /// The key.
    static let key = DataKey<EncoderCacheMatches>(
        "EncoderCacheMatchInfo",
        defaultProducer: EncoderCacheProducer.descriptor.type
    )

    /// The hashes of the request's media, each once, in the prompt's order; not empty.
    let items: [UInt64]
    /// By endpoint slot: how many of the items the endpoint holds. Slots behind the end hold none.
    private let heldItems: [Int32]

    /// Makes a record.
    ///
    /// - Parameters:
    ///   - items: the hashes of different media, at least one.
    ///   - heldItems: by slot, at most `items.count` each.
    init(items: [UInt64], heldItems: [Int32]) {
        self.items = items
        self.heldItems = heldItems
    }

    /// How many of ``items`` `endpoint` holds.
    func heldItems(on endpoint: EndpointSnapshot) -> Int {
        heldItems.indices.contains(endpoint.slot) ? Int(heldItems[endpoint.slot]) : 0
    }
}

/// Guesses which endpoints hold a picture, film or recording in their encoder's cache from where it was sent before.
///
/// Each endpoint has an LRU of hashes of media; all of them are in one index, as prefixes are. Where the profile for
/// encode ran, its endpoints compute the embeddings, so they are noted beside the endpoint that serves.
final class EncoderCacheProducer: MediaCacheProducer, PreRequest, EndpointObserver {
    static let descriptor = PluginDescriptor(
        type: "mm-embeddings-cache-producer",
        summary: "Remembers which pictures, films and recordings were sent to which endpoint."
    )

    /// What an entry of an encoder's cache is taken to have.
    private static let megabytesPerItem = 2
    /// The most entries of all endpoints together: 512 endpoints of the default size; some 80 MB when full.
    private static let mostEntries = 1 << 20

    private let tokens: DataReader<PromptTokens>
    private let matches: DataWriter<EncoderCacheMatches>
    private let capacity: Int
    private let index = Mutex(EndpointCacheIndex(maxEntries: EncoderCacheProducer.mostEntries))

    /// Reads `cacheSizeInMBPerServer` (4,096 MiB; 0 and less mean the default): the size of an engine's encoder cache,
    /// in which an entry is taken to have 2 MiB.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        tokens = context.consume(PromptTokens.key)
        matches = context.produce(EncoderCacheMatches.key)
        let megabytes = parameters.int("cacheSizeInMBPerServer", default: 4096, in: .min...(1 << 30))
        if megabytes <= 0 { parameters.warn("\(megabytes) means 4096", at: "cacheSizeInMBPerServer") }
        capacity = max(1, (megabytes > 0 ? megabytes : 4096) / Self.megabytesPerItem)
    }

    func produce(for candidates: Candidates, context: inout SchedulingContext) {
        guard let features = context.scratch[tokens]?.features, !features.isEmpty else { return }
        let items = context.scratch[matches]?.items ?? Self.distinct(features)
        let held = index.withLock { $0.count(items, candidates: candidates) }
        context.scratch[matches] = EncoderCacheMatches(items: items, heldItems: held)
    }

    func lookUps(of context: SchedulingContext, on endpoint: EndpointSnapshot) -> [MediaLookUp] {
        guard let features = context.scratch[tokens]?.features, !features.isEmpty else { return [] }
        var seen: Set<UInt64> = []
        return index.withLock { index in
            var lookUps: [MediaLookUp] = []
            for feature in features where seen.insert(feature.hash).inserted {
                let isHeld = index.holds(feature.hash, endpoint: endpoint)
                lookUps.append(MediaLookUp(modality: feature.modality.rawValue, isHeld: isHeld))
            }
            return lookUps
        }
    }

    func willSend(_ decision: SchedulingDecision, context: inout SchedulingContext) {
        guard let items = context.scratch[matches]?.items else { return }
        let encoders = decision.encode?.endpoints ?? []
        index.withLock { index in
            index.insert(items, endpoint: decision.endpoint, capacity: capacity)
            for encoder in encoders { index.insert(items, endpoint: encoder, capacity: capacity) }
        }
    }

    func endpointDidLeave(_ endpoint: EndpointSnapshot) {
        index.withLock { $0.forget(endpoint) }
    }

    private static func distinct(_ features: [PromptTokens.Feature]) -> [UInt64] {
        var seen: Set<UInt64> = []
        return features.compactMap { seen.insert($0.hash).inserted ? $0.hash : nil }
    }
}
