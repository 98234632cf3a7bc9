import DataLayer
import GatewayCore
import Telemetry

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The recorded pages of real engines.
enum Fixture {
    static let vllm = read("metrics-vllm-0.32.0-busy.txt")
    static let sglang = read("metrics-sglang-0.5.23-busy.txt")
    static let llamacpp = read("metrics-llamacpp-busy.txt")
    static let vllmModels = read("sample-vllm-models.json")

    private static func read(_ name: String) -> [UInt8] {
        let path = #filePath.replacing("Fixture.swift", with: "Fixtures/\(name)")
        guard let file = fopen(path, "rb") else { fatalError("the fixture \(path) cannot be opened") }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&part, 1, part.count, file)
            if count == 0 { return bytes }
            bytes += part[..<count]
        }
    }
}

extension EndpointDescription {
    /// The endpoint called `name`, on the port that is the sum of 8,000 and `port`.
    static func made(_ name: String, port: Int = 0, labels: [String: String] = [:]) -> EndpointDescription {
        let address = EndpointAddress(host: "10.0.0.1", port: 8_000 + port)
        return EndpointDescription(id: EndpointID(name: name), address: address, labels: labels)
    }
}

extension DataLayerMetrics {
    /// Instruments of a registry of their own.
    static func made() throws -> DataLayerMetrics {
        try DataLayerMetrics(registry: MetricRegistry())
    }
}
