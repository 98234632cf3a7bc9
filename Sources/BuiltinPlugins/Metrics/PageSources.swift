import GatewayCore

/// The metrics page of each endpoint's engine, by HTTP.
struct MetricsDataSource: MetricsSource {
    static let descriptor = PluginDescriptor(
        type: "metrics-data-source",
        summary: "Fetches the metrics page of each endpoint's engine."
    )

    let settings: PageSourceSettings

    /// Reads `scheme`, `path` (default `/metrics`), `port` (default the endpoint's), `interval`, `idleInterval`
    /// (default none), `insecureSkipVerify`, `caCertPath`, `clientCertPath`, `clientKeyPath`; see
    /// ``PageSourceSettings``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var settings = PageSourceSettings(parameters, path: "/metrics")
        settings.port = parameters.int("port", in: 1...65_535)
        settings.idleInterval = parameters.duration(
            "idleInterval",
            in: PageSourceSettings.minimumInterval ... .seconds(3600)
        )
        settings.readCertificates(parameters)
        self.settings = settings
    }
}

/// The model list of each endpoint, by HTTP. It is at the endpoint's own port.
struct ModelsDataSource: ModelListSource {
    static let descriptor = PluginDescriptor(
        type: "models-data-source",
        summary: "Fetches the list of models that each endpoint serves."
    )

    let settings: PageSourceSettings

    /// Reads `scheme`, `path` (default `/v1/models`), `interval`, `insecureSkipVerify`, `caCertPath`, `clientCertPath`,
    /// `clientKeyPath`; see ``PageSourceSettings``.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var settings = PageSourceSettings(parameters, path: "/v1/models")
        settings.readCertificates(parameters)
        self.settings = settings
    }
}

/// Reads the model lists that ``ModelsDataSource`` fetches.
struct ModelsDataExtractor: ModelListExtractor {
    static let descriptor = PluginDescriptor(
        type: "models-data-extractor",
        summary: "Reads the names of the models that each endpoint serves."
    )

    /// Takes no parameters.
    init(parameters: ParameterDecoder, context: inout PluginContext) {}
}

extension PageSourceSettings {
    /// Reads what every source of pages has: `scheme`, `path`, `interval`, `insecureSkipVerify`.
    init(_ parameters: ParameterDecoder, path: String) {
        self.init(path: parameters.string("path", default: path))
        scheme = parameters.enumeration("scheme", default: scheme)
        if !self.path.utf8.starts(with: "/".utf8) {
            parameters.report("'\(self.path)' does not start with '/'", at: "path")
        }
        interval = Self.interval(parameters)
        verifiesCertificate = !parameters.bool("insecureSkipVerify", default: !verifiesCertificate)
    }

    /// Reads the files of certificates: `caCertPath`, and `clientCertPath` with `clientKeyPath`.
    mutating func readCertificates(_ parameters: ParameterDecoder) {
        authorityPath = Self.file("caCertPath", parameters)
        certificatePath = Self.file("clientCertPath", parameters)
        keyPath = Self.file("clientKeyPath", parameters)
        if (certificatePath == nil) != (keyPath == nil) {
            let missing = keyPath == nil ? "clientKeyPath" : "clientCertPath"
            parameters.report("clientCertPath and clientKeyPath go together, and \(missing) is missing")
        }
    }

    /// `interval`, for which the format allows an empty text.
    private static func interval(_ parameters: ParameterDecoder) -> Duration? {
        if parameters.value("interval")?.content == .string("") { return nil }
        guard let interval = parameters.duration("interval", in: .zero ... .seconds(3600)), interval > .zero else {
            return nil
        }
        guard interval < minimumInterval else { return interval }
        parameters.warn("is below the minimum of 50ms, which is used instead", at: "interval")
        return minimumInterval
    }

    private static func file(_ key: String, _ parameters: ParameterDecoder) -> String? {
        let path = parameters.string(key, default: "")
        return path.isEmpty ? nil : path
    }
}
