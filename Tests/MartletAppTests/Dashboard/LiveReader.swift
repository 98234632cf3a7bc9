import Foundation

/// One who reads the live feed as the page does: applies what changed to what it knows.
struct LiveReader {
    /// What is known of each endpoint, by its number.
    private(set) var endpoints: [Int: [String: String]] = [:]
    /// The models by place of the pool.
    private(set) var models: [Int: [String]] = [:]
    /// The last tick.
    private(set) var tick: [String: Any] = [:]
    /// The last hello.
    private(set) var hello: [String: Any] = [:]

    /// Takes a `hello`: what was known before is void.
    mutating func greet(_ json: [UInt8]) throws {
        hello = try Self.object(json)
        endpoints = [:]
        models = [:]
        take(facts: hello["endpoints"])
        take(tick: hello["tick"] as? [String: Any] ?? [:])
    }

    /// Takes a `tick`.
    mutating func take(_ json: [UInt8]) throws {
        take(tick: try Self.object(json))
    }

    private mutating func take(tick: [String: Any]) {
        self.tick = tick
        for id in tick["removed"] as? [Int] ?? [] { endpoints[id] = nil }
        take(facts: tick["added"])
        let rows = tick["rows"] as? [String: [Int]] ?? [:]
        for (index, id) in (rows["id"] ?? []).enumerated() {
            for (name, column) in rows where name != "id" { endpoints[id, default: [:]][name] = String(column[index]) }
        }
        for (id, names) in tick["adapters"] as? [String: [String]] ?? [:] {
            endpoints[Int(id) ?? -1, default: [:]]["adapters"] = names.isEmpty ? nil : names.joined(separator: ",")
        }
        for (id, ejection) in tick["ejections"] as? [String: Any] ?? [:] {
            let reason = (ejection as? [String: Any])?["reason"] as? String
            endpoints[Int(id) ?? -1, default: [:]]["ejected"] = reason
        }
        for (place, pool) in (tick["pools"] as? [[String: Any]] ?? []).enumerated() {
            if let names = pool["models"] as? [String] { models[place] = names }
        }
    }

    private mutating func take(facts: Any?) {
        for fact in facts as? [[String: Any]] ?? [] {
            guard let id = fact["id"] as? Int else { continue }
            for name in ["name", "address", "namespace"] { endpoints[id, default: [:]][name] = fact[name] as? String }
            endpoints[id, default: [:]]["pool"] = (fact["pool"] as? Int).map(String.init)
            let labels = (fact["labels"] as? [String: String] ?? [:]).sorted { $0.key < $1.key }
            endpoints[id, default: [:]]["labels"] = labels.map { "\($0)=\($1)" }.joined(separator: ",")
        }
    }

    private static func object(_ json: [UInt8]) throws -> [String: Any] {
        try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any] ?? [:]
    }
}
