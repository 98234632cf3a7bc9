import ModelServerSimulator

/// The part of vLLM's metrics page that a gateway reads.
///
/// The whole page is mostly histograms: a thousand of them a minute would cost a simulation more than the engines do.
enum EnginePage {
    static func text(of counters: EngineCounters, parameters: EngineParameters) -> String {
        let labels = #"engine="0",model_name="\#(RequestMaker.model)""#
        let cache = #"block_size="\#(parameters.blockSizeTokens)",num_gpu_blocks="\#(parameters.blockCount)""#
        return """
            # HELP vllm:num_requests_running Number of requests in model execution batches.
            # TYPE vllm:num_requests_running gauge
            vllm:num_requests_running{\(labels)} \(Double(counters.running))
            # HELP vllm:num_requests_waiting Number of requests waiting to be processed.
            # TYPE vllm:num_requests_waiting gauge
            vllm:num_requests_waiting{\(labels)} \(Double(counters.waiting))
            # HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
            # TYPE vllm:kv_cache_usage_perc gauge
            vllm:kv_cache_usage_perc{\(labels)} \(counters.cacheUsage)
            # HELP vllm:cache_config_info Information of the LLMEngine CacheConfig
            # TYPE vllm:cache_config_info gauge
            vllm:cache_config_info{\(cache),engine="0"} 1.0

            """
    }
}
