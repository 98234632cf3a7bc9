import GatewayCore

/// The metrics page of each endpoint's engine, by HTTP.
struct MetricsDataSource: MetricsSource {
    static let descriptor = PluginDescriptor(
        type: "metrics-data-source",
        summary: "Fetches the metrics page of each endpoint's engine."
    )

    let settings: MetricsSourceSettings

    /// Reads `scheme`, `path`, `port`, `interval`, `insecureSkipVerify`, `caCertPath`, `clientCertPath`,
    /// `clientKeyPath`; see ``MetricsSourceSettings`` for the defaults.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var settings = MetricsSourceSettings()
        settings.scheme = parameters.enumeration("scheme", default: settings.scheme)
        settings.path = parameters.string("path", default: settings.path)
        if !settings.path.utf8.starts(with: "/".utf8) {
            parameters.report("'\(settings.path)' does not start with '/'", at: "path")
        }
        settings.port = parameters.int("port", in: 1...65_535)
        settings.interval = Self.interval(parameters)
        settings.verifiesCertificate = !parameters.bool("insecureSkipVerify", default: !settings.verifiesCertificate)
        settings.authorityPath = Self.file("caCertPath", parameters)
        settings.certificatePath = Self.file("clientCertPath", parameters)
        settings.keyPath = Self.file("clientKeyPath", parameters)
        if (settings.certificatePath == nil) != (settings.keyPath == nil) {
            let missing = settings.keyPath == nil ? "clientKeyPath" : "clientCertPath"
            parameters.report("clientCertPath and clientKeyPath go together, and \(missing) is missing")
        }
        self.settings = settings
    }

    /// `interval`, for which the format allows an empty text.
    private static func interval(_ parameters: ParameterDecoder) -> Duration? {
        if parameters.value("interval")?.content == .string("") { return nil }
        guard let interval = parameters.duration("interval", in: .zero ... .seconds(3600)), interval > .zero else {
            return nil
        }
        guard interval < MetricsSourceSettings.minimumInterval else { return interval }
        parameters.warn("is below the minimum of 50ms, which is used instead", at: "interval")
        return MetricsSourceSettings.minimumInterval
    }

    private static func file(_ key: String, _ parameters: ParameterDecoder) -> String? {
        let path = parameters.string(key, default: "")
        return path.isEmpty ? nil : path
    }
}
