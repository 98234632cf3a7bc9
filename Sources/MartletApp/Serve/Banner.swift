import GatewayCore
import ServiceLifecycle

/// The few lines that a start prints: where to connect, where to look, what to try.
struct Banner {
    /// The lines.
    let lines: [String]

    /// A banner of any lines.
    init(lines: [String]) {
        self.lines = lines
    }

    /// The banner of `martlet serve`.
    init(listeners: [String], admin: String, pools: Int, endpoints: Int, model: String?) {
        var lines = [Self.counts(pools: pools, endpoints: endpoints)]
        lines += listeners.map { "listening on \($0)" }
        lines.append("admin on \(admin)")
        if let first = listeners.first {
            let body = #"{"model":"\#(model ?? "MODEL")","messages":[{"role":"user","content":"Hello"}]}"#
            lines.append("try: curl \(first)/v1/chat/completions -H 'content-type: application/json' -d '\(body)'")
        }
        self.lines = lines
    }

    /// The line that says what there is to serve.
    static func counts(pools: Int, endpoints: Int) -> String {
        "martlet \(BuildInformation.version): \(pools.counted("pool")), \(endpoints.counted("endpoint"))"
    }

    /// Writes the lines to standard output at once, so that a program that waits for them sees them.
    func show() {
        StandardStream.output.write(lines.joined(separator: "\n") + "\n")
    }
}

extension Int {
    fileprivate func counted(_ noun: String) -> String {
        self == 1 ? "1 \(noun)" : "\(self) \(noun)s"
    }
}

/// Shows a banner once the services run.
struct BannerService: Service {
    let banner: Banner

    func run() async throws {
        banner.show()
        try await gracefulShutdown()
    }
}
