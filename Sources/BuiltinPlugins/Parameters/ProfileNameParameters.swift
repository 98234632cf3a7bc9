import GatewayCore

extension ParameterDecoder {
    /// The name of a profile at `key`; `fallback` when it is absent or empty.
    func profile(_ key: String, default fallback: String) -> String {
        let name = string(key, default: "")
        return name.isEmpty ? fallback : name
    }
}
