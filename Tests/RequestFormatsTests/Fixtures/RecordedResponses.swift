/// Bodies of responses as real engines sent them, shortened to a few events.
enum RecordedResponses {
    /// vLLM 0.32, chat completions with `include_usage`.
    static let vllmChat = #"""
        data: {"id":"chatcmpl-abc-123","object":"chat.completion.chunk","created":1795464042,"model":"tiny-llama",\#
        "choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],\#
        "prompt_token_ids":null,"prompt_text":null}

        data: {"id":"chatcmpl-abc-123","object":"chat.completion.chunk","created":1795464042,"model":"tiny-llama",\#
        "choices":[{"index":0,"delta":{"content":" do\")"},"logprobs":null,"finish_reason":null,"token_ids":null}]}

        data: {"id":"chatcmpl-abc-123","object":"chat.completion.chunk","created":1795464042,"model":"tiny-llama",\#
        "choices":[{"index":0,"delta":{"content":"****"},"logprobs":null,"finish_reason":"length",\#
        "stop_reason":null,"token_ids":null}]}

        data: {"id":"chatcmpl-abc-123","object":"chat.completion.chunk","created":1795464042,"model":"tiny-llama",\#
        "choices":[],"usage":{"prompt_tokens":15,"total_tokens":21,"completion_tokens":6},\#
        "system_fingerprint":"vllm-0.32.0-131662f3"}

        data: [DONE]


        """#

    /// SGLang 0.5.23, chat completions with `include_usage`.
    static let sglangChat = #"""
        data: {"id":"85b37024f3f04e65b6ea766204ef43b3","object":"chat.completion.chunk","created":1795466450,\#
        "model":"tiny-llama","choices":[{"index":0,"delta":{"reasoning_content":null,"content":"tent"},\#
        "logprobs":null,"finish_reason":null,"matched_stop":null}]}

        data: {"id":"85b37024f3f04e65b6ea766204ef43b3","object":"chat.completion.chunk","created":1795466450,\#
        "model":"tiny-llama","choices":[],"usage":{"prompt_tokens":14,"total_tokens":18,"completion_tokens":4,\#
        "prompt_tokens_details":{"cached_tokens":3},"reasoning_tokens":0,"completion_tokens_details":null}}

        data: [DONE]


        """#

    /// vLLM 0.32, Anthropic messages.
    static let vllmAnthropic = #"""
        event: message_start
        data: {"type":"message_start","message":{"id":"chatcmpl-b59a84e720cdff90","type":"message",\#
        "role":"assistant","content":[],"model":"tiny-llama","stop_reason":null,"stop_sequence":null,\#
        "usage":{"input_tokens":14,"output_tokens":0}}}

        event: content_block_delta
        data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"print"},"index":0}

        event: message_delta
        data: {"type":"message_delta","delta":{"stop_reason":"max_tokens","stop_sequence":null},\#
        "usage":{"input_tokens":14,"output_tokens":4,"cache_creation_input_tokens":0,"cache_read_input_tokens":2}}

        event: message_stop
        data: {"type":"message_stop"}


        """#

    /// vLLM 0.32, responses.
    static let vllmResponses = #"""
        event: response.created
        data: {"response":{"id":"resp_aac70099e18858f0","created_at":1795464554,"model":"tiny-llama",\#
        "object":"response","output":[],"max_output_tokens":4,"status":"in_progress","usage":null,"user":null},\#
        "sequence_number":0,"type":"response.created"}

        event: response.output_text.delta
        data: {"content_index":0,"delta":"der","item_id":"msg_1","logprobs":[],"output_index":0,\#
        "sequence_number":4,"type":"response.output_text.delta"}

        event: response.completed
        data: {"response":{"id":"resp_aac70099e18858f0","created_at":1795464554,"model":"tiny-llama",\#
        "object":"response","output":[{"id":"msg_9716c334d946b44e","content":[{"annotations":[],\#
        "text":"der O____","type":"output_text","logprobs":null}],"role":"assistant","status":"completed",\#
        "type":"message","phase":null}],"max_output_tokens":4,"status":"incomplete","usage":{"input_tokens":14,\#
        "input_tokens_details":{"cached_tokens":5,"cache_write_tokens":0,"input_tokens_per_turn":[],\#
        "cached_tokens_per_turn":[]},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},\#
        "total_tokens":18},"user":null,"presence_penalty":0.0},"sequence_number":10,"type":"response.completed"}


        """#

    /// llama.cpp, chat completions.
    static let llamacppChat = #"""
        data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" sp"}}],"created":1795465467,\#
        "id":"chatcmpl-qxDkXpblmwAcofoWCfz4tnkbbjF3z6yZ","model":"models/tiny-llama.gguf",\#
        "system_fingerprint":"b0-unknown","object":"chat.completion.chunk"}

        data: {"choices":[],"created":1795465467,"id":"chatcmpl-qxDkXpblmwAcofoWCfz4tnkbbjF3z6yZ",\#
        "model":"models/tiny-llama.gguf","system_fingerprint":"b0-unknown","object":"chat.completion.chunk",\#
        "usage":{"completion_tokens":4,"prompt_tokens":14,"total_tokens":18,\#
        "prompt_tokens_details":{"cached_tokens":0}},"timings":{"cache_n":0,"prompt_n":14,"prompt_ms":3.112}}

        data: [DONE]


        """#

    /// vLLM 0.32, a completion that is not streamed.
    static let vllmCompletion = #"""
        {"id":"cmpl-816132f8d39f1fcf","object":"text_completion","created":1795464041,"model":"tiny-llama",\#
        "choices":[{"index":0,"text":"one frameFFize dispatch variablesize ","logprobs":null,\#
        "finish_reason":"length","stop_reason":null,"token_ids":null,"prompt_logprobs":null,\#
        "prompt_token_ids":null,"routed_experts":null}],"service_tier":null,\#
        "system_fingerprint":"vllm-0.32.0-131662f3","usage":{"prompt_tokens":2,"total_tokens":10,\#
        "completion_tokens":8,"prompt_tokens_details":null,"completion_tokens_details":null},\#
        "kv_transfer_params":null,"ec_transfer_params":null,"metrics":null}
        """#

    /// SGLang's own format, streamed; written after its documentation.
    static let sglangGenerate = #"""
        data: {"text":"a","meta_info":{"id":"1","finish_reason":null,"prompt_tokens":9,"completion_tokens":1,\#
        "cached_tokens":4}}

        data: {"text":"ab","meta_info":{"id":"1","finish_reason":{"type":"length","length":2},"prompt_tokens":9,\#
        "completion_tokens":2,"cached_tokens":4}}

        data: [DONE]


        """#
}
