/// What a model server last told of itself, by the model-server metrics protocol.
public struct EndpointMetrics: Hashable, Sendable {
    /// Requests that wait in the engine's queue.
    public var waitingQueueSize: Int
    /// Requests that the engine is working on.
    public var runningRequests: Int
    /// The share of the KV cache in use, 0 ... 1.
    public var kvCacheUsage: Double
    /// LoRA adapters that are loaded and in use.
    public var activeModels: [String]
    /// LoRA adapters that requests wait for.
    public var waitingModels: [String]
    /// How many LoRA adapters can be loaded at once; 0 when the engine did not say.
    public var maxActiveModels: Int
    /// Tokens per KV-cache block; 0 when the engine did not say.
    public var cacheBlockSizeTokens: Int
    /// KV-cache blocks in all; 0 when the engine did not say.
    public var cacheBlockCount: Int
    /// How often the engine was seen to have started anew while the gateway watched it. What its caches held before a
    /// start is gone.
    public var engineRestarts: Int

    /// Makes metrics; without arguments those of an idle engine that told nothing else.
    public init(
        waitingQueueSize: Int = 0,
        runningRequests: Int = 0,
        kvCacheUsage: Double = 0,
        activeModels: [String] = [],
        waitingModels: [String] = [],
        maxActiveModels: Int = 0,
        cacheBlockSizeTokens: Int = 0,
        cacheBlockCount: Int = 0,
        engineRestarts: Int = 0
    ) {
        self.waitingQueueSize = waitingQueueSize
        self.runningRequests = runningRequests
        self.kvCacheUsage = kvCacheUsage
        self.activeModels = activeModels
        self.waitingModels = waitingModels
        self.maxActiveModels = maxActiveModels
        self.cacheBlockSizeTokens = cacheBlockSizeTokens
        self.cacheBlockCount = cacheBlockCount
        self.engineRestarts = engineRestarts
    }
}
