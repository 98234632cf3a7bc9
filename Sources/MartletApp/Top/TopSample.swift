import RequestFormats
import Telemetry

/// What a gateway says of itself at one moment: its `/api/state` and what is wanted of its `/metrics`.
struct TopSample {
    /// One endpoint.
    struct Endpoint {
        var pool: String
        var name: String
        var address: String
        var waiting: Double
        var running: Double
        var kvUsage: Double
        var inFlight: Double
        /// Seconds since the metrics were read; `nil` when they never were.
        var age: Double?
        /// `ready`, `draining`, `ejected`, `away`, or `old data` of one that is none of these.
        var state: String
        var adapters: [String]
    }

    /// One pool.
    struct Pool {
        var name: String
        var available: Int
        var queued: Double
        /// 0 to 1 and above; `nil` without flow control.
        var saturation: Double?
        var endpoints: [Endpoint]
    }

    /// The counters of the page, over all labels.
    struct Counters {
        var requests = 0.0
        var errors = 0.0
        /// Times to first token up to each bound in seconds, ascending; the last is infinite.
        var timesToFirstToken: [(bound: Double, count: Double)] = []
    }

    var version = ""
    var uptimeSeconds = 0.0
    var isDraining = false
    var pools: [Pool] = []
    var counters = Counters()

    /// The age above which metrics count as old.
    private static let oldSeconds = 2.0

    /// Reads the answers of a gateway.
    ///
    /// - Throws: ``FormatError`` when `state` is no JSON.
    init(state: RawSpan, metrics: RawSpan) throws {
        let tree = try JSONTree(state)
        version = Self.plain(tree["version"]?.text)
        uptimeSeconds = tree["uptime_seconds"]?.number ?? 0
        isDraining = tree["draining"]?.isTrue ?? false
        pools = (tree["pools"]?.elements ?? []).map(Self.pool)
        counters = Self.counters(metrics)
    }

    private static func pool(_ tree: JSONTree) -> Pool {
        let namespace = plain(tree["namespace"]?.text)
        let name = plain(tree["name"]?.text)
        let full = namespace.isEmpty || namespace == "default" ? name : "\(namespace)/\(name)"
        return Pool(
            name: full,
            available: Int(tree["available_endpoints"]?.number.flatMap { Int32(exactly: $0) } ?? 0),
            queued: tree["queues"]?["requests"]?.number ?? 0,
            saturation: tree["queues"]?["saturation"]?.number,
            endpoints: (tree["endpoints"]?.elements ?? []).map { endpoint($0, pool: full) }
        )
    }

    private static func endpoint(_ tree: JSONTree, pool: String) -> Endpoint {
        let metrics = tree["metrics"]
        let age = tree["metrics_age_seconds"]?.number
        let isEjected = tree["ejected"]?.isTrue ?? false
        let isAvailable = tree["available"]?.isTrue ?? true
        let isDraining = tree["draining"]?.isTrue ?? false
        let isOld = age.map { $0 > oldSeconds } ?? true
        return Endpoint(
            pool: pool,
            name: plain(tree["name"]?.text),
            address: plain(tree["address"]?.text),
            waiting: metrics?["waiting"]?.number ?? 0,
            running: metrics?["running"]?.number ?? 0,
            kvUsage: metrics?["kv_cache_usage"]?.number ?? 0,
            inFlight: tree["in_flight"]?.number ?? 0,
            age: age,
            state: isDraining
                ? "draining" : isEjected ? "ejected" : !isAvailable ? "away" : isOld ? "old data" : "ready",
            adapters: (metrics?["active_adapters"]?.elements ?? []).map { plain($0.text) }
        )
    }

    /// Names come from elsewhere: what could move the cursor is not shown.
    private static func plain(_ text: String?) -> String {
        String(
            (text ?? "").map {
                $0.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F ~= $0.value) } ? $0 : "?"
            })
    }

    private enum Wanted: Int, CaseIterable {
        case requests, errors, bucket

        var name: String {
            switch self {
            case .requests: "llm_d_epp_request_total"
            case .errors: "llm_d_epp_request_error_total"
            case .bucket: "llm_d_epp_request_ttft_seconds_bucket"
            }
        }
    }

    private static func counters(_ page: RawSpan) -> Counters {
        let wanted = WantedMetrics(Wanted.allCases.map { WantedMetric(name: $0.name) })
        var scanner = ExpositionScanner(wanted: wanted)
        var counters = Counters()
        var buckets: [Double: Double] = [:]
        func take(_ sample: ExpositionSample, _ line: RawSpan) {
            switch Wanted(rawValue: sample.metric) {
            case .requests: counters.requests += sample.value
            case .errors: counters.errors += sample.value
            case .bucket:
                guard let text = sample.label("le", in: line) else { return }
                let bound = text == "+Inf" ? Double.infinity : Double(text)
                if let bound { buckets[bound, default: 0] += sample.value }
            case nil: break
            }
        }
        scanner.feed(page, take)
        scanner.finish(take)
        counters.timesToFirstToken = buckets.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return counters
    }
}
