import Workload

/// The command line of `loadgen`; every option takes one value.
struct LoadOptions: Sendable {
    /// IPv4 address of the server under load.
    private(set) var host = "127.0.0.1"
    private(set) var port = 0
    private(set) var workload = WorkloadKind.oneKilobyte
    /// Requests in all; the run ends when each has been answered or has failed.
    private(set) var requests = 1_000
    /// Keep-alive connections; each has at most one request in flight.
    private(set) var connections = 16
    /// Zero is a closed loop. Above zero, request *i* is due `i / rate` seconds after the start, whether or not earlier
    /// ones have been answered, and its latency counts from then.
    private(set) var requestsPerSecond = 0
    /// How many different prompt prefixes the requests share.
    private(set) var sharedPrefixes = 8
    private(set) var seed: UInt64 = 1
    /// A run that lasts longer than this fails.
    private(set) var timeoutSeconds = 120

    init(arguments: some Sequence<String>) throws(OptionError) {
        var rest = Array(arguments)[...]
        while let name = rest.popFirst() {
            guard let value = rest.popFirst() else {
                throw OptionError(description: "\(name) needs a value")
            }
            switch name {
            case "--url": (host, port) = try Self.address(value)
            case "--workload":
                guard let kind = WorkloadKind(rawValue: value) else {
                    let known = WorkloadKind.allCases.map(\.rawValue).joined(separator: ", ")
                    throw OptionError(description: "--workload is one of \(known), not \"\(value)\"")
                }
                workload = kind
            case "--requests": requests = try Self.number(name, value, atLeast: 1)
            case "--connections": connections = try Self.number(name, value, atLeast: 1)
            case "--requests-per-second": requestsPerSecond = try Self.number(name, value, atLeast: 0)
            case "--shared-prefixes": sharedPrefixes = try Self.number(name, value, atLeast: 1)
            case "--seed": seed = UInt64(try Self.number(name, value, atLeast: 0))
            case "--timeout-seconds": timeoutSeconds = try Self.number(name, value, atLeast: 1)
            default: throw OptionError(description: "unknown option \(name)")
            }
        }
        guard port != 0 else {
            throw OptionError(description: "--url http://127.0.0.1:PORT is needed")
        }
    }

    private static func number(_ name: String, _ value: String, atLeast least: Int) throws(OptionError) -> Int {
        guard let number = Int(value), number >= least else {
            throw OptionError(description: "\(name) takes a whole number from \(least) up, not \"\(value)\"")
        }
        return number
    }

    private static func address(_ url: String) throws(OptionError) -> (String, Int) {
        let parts = url.dropFirst("http://".count).split(separator: ":")
        guard url.hasPrefix("http://"), parts.count == 2, let port = Int(parts[1]), (1...65_535).contains(port) else {
            throw OptionError(description: "--url is http://ADDRESS:PORT, not \"\(url)\"")
        }
        return (String(parts[0]), port)
    }
}

struct OptionError: Error, CustomStringConvertible {
    let description: String
}
