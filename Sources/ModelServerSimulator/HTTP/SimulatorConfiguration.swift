/// Everything a simulated model server can be told before it starts.
package struct SimulatorConfiguration: Sendable, Hashable {
    /// Addresses to listen on; all of them lead to the same engine. Port 0 takes a free port.
    package var listen = [ListenAddress(host: "127.0.0.1", port: 8_000)]

    /// Whose metrics page, stream format and habits the server has.
    package var engine = EngineKind.vllm

    /// Names of the base model. The first one is the model's name in metrics, the others are aliases.
    package var models = ["martlet-sim"]

    /// Names of the LoRA adapters known from the start.
    package var loraAdapters: [String] = []

    /// The engine behind the server.
    package var parameters = EngineParameters()

    /// Virtual seconds per second of the clock, above 0: at 10, everything is ten times as fast as the parameters say.
    package var timeScale = 1.0

    /// Whether `usage` says how many prompt tokens came from the cache. (The real engine wants a flag for it.)
    package var promptTokensDetails = true

    /// Longest request body in bytes; a longer one is answered with 413.
    package var maxBodyBytes = 64 * 1_024 * 1_024

    /// What the server does wrong from the start.
    package var faults = FaultPlan()

    /// The defaults.
    package init() {}

    /// - Throws: ``SimulatorConfigurationError`` for the first value that cannot be.
    package func validate() throws(SimulatorConfigurationError) {
        guard !listen.isEmpty else {
            throw SimulatorConfigurationError(description: "there is no address to listen on")
        }
        guard let first = models.first, !first.isEmpty else {
            throw SimulatorConfigurationError(description: "there is no model name")
        }
        guard timeScale > 0, timeScale.isFinite else {
            throw SimulatorConfigurationError(description: "timeScale is \(timeScale); it must be a number above 0")
        }
        guard maxBodyBytes > 0 else {
            throw SimulatorConfigurationError(description: "maxBodyBytes is \(maxBodyBytes); it must be above 0")
        }
        if let adapter = loraAdapters.first(where: { $0.isEmpty || models.contains($0) }) {
            throw SimulatorConfigurationError(
                description: "adapter name \"\(adapter)\" is empty or is also the name of a model"
            )
        }
        if !loraAdapters.isEmpty, parameters.maxLoRAs == 0 {
            throw SimulatorConfigurationError(description: "there are adapters, but maxLoRAs is 0")
        }
        do {
            try parameters.validate()
            try faults.validate()
        } catch {
            throw SimulatorConfigurationError(description: "\(error)")
        }
    }
}

/// A configuration with which no server can start.
package struct SimulatorConfigurationError: Error, Hashable, CustomStringConvertible {
    /// A sentence with the name, the value and what is allowed.
    package let description: String
}

/// Host and port to listen on.
package struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// An IPv4 or IPv6 address without brackets, or a name.
    package var host: String
    /// A port, or 0 for a free one.
    package var port: UInt16

    /// An address of its parts.
    package init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `[v6]:port`, `:port` (all IPv4 interfaces) or `port` (this machine only); nil for anything
    /// else.
    package init?(_ text: String) {
        let host: Substring
        let port: Substring
        if let colon = text.lastIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        } else {
            host = "127.0.0.1"
            port = text[...]
        }
        guard port.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(port) else {
            return nil
        }
        if host.hasPrefix("["), host.hasSuffix("]"), host.count > 2 {
            self.init(host: String(host.dropFirst().dropLast()), port: number)
        } else if host.contains(where: { "[]:".contains($0) }) {
            return nil
        } else {
            self.init(host: host.isEmpty ? "0.0.0.0" : String(host), port: number)
        }
    }

    package var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

/// The engine a simulated server resembles.
package enum EngineKind: String, Sendable, Hashable, CaseIterable {
    /// vLLM, as of 0.32.
    case vllm
    /// SGLang, as of 0.5.
    case sglang
    /// Triton with the TensorRT-LLM back end.
    case triton
    /// The server of llama.cpp.
    case llamacpp

    /// The value of the response header `server`.
    var serverHeader: String {
        switch self {
        case .vllm, .sglang: "uvicorn"
        case .triton: "triton"
        case .llamacpp: "llama.cpp"
        }
    }

    /// Whether a request may name any model. These engines serve one model and do not look at the name.
    var acceptsAnyModel: Bool {
        switch self {
        case .vllm, .triton: false
        case .sglang, .llamacpp: true
        }
    }
}
