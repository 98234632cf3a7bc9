import GatewayCore

/// The endpoints of a pool from a file.
struct FileDiscovery: EndpointSource {
    static let descriptor = PluginDescriptor(
        type: "file-discovery",
        summary: "Takes the endpoints of a pool from a file in place of a cluster."
    )

    let path: String
    let isWatched: Bool

    /// Reads `path`, which is required, and `watchFile` (default `false`).
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        path = parameters.requiredString("path")
        isWatched = parameters.bool("watchFile", default: false)
    }
}
