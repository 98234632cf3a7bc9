import GatewayCore

/// The metrics page of each endpoint's engine, by HTTP.
struct MetricsDataSource: MetricsSource {
    static let descriptor = PluginDescriptor(
        type: "metrics-data-source",
        summary: "Fetches the metrics page of each endpoint's engine."
    )

    let settings: PageSourceSettings

    /// Reads `scheme`, `path` (default `/metrics`), `port` (default the endpoint's), `interval`, `idleInterval`
    /// (default none); see ``PageSourceSettings``. What says how certificates are verified has no effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        var settings = PageSourceSettings(parameters, path: "/metrics")
        settings.port = parameters.int("port", in: 1...65_535)
        settings.idleInterval = parameters.duration(
            "idleInterval",
            in: PageSourceSettings.minimumInterval ... .seconds(3600)
        )
        PageSourceSettings.acceptCertificates(parameters)
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

    /// Reads `scheme`, `path` (default `/v1/models`), `interval`; see ``PageSourceSettings``. What says how
    /// certificates are verified has no effect.
    init(parameters: ParameterDecoder, context: inout PluginContext) {
        settings = PageSourceSettings(parameters, path: "/v1/models")
        PageSourceSettings.acceptCertificates(parameters)
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
    /// Reads what every source of pages has: `scheme`, `path`, `interval`. `insecureSkipVerify` has no effect.
    init(_ parameters: ParameterDecoder, path: String) {
        self.init(path: parameters.string("path", default: path))
        scheme = parameters.enumeration("scheme", default: scheme)
        if !self.path.utf8.starts(with: "/".utf8) {
            parameters.report("'\(self.path)' does not start with '/'", at: "path")
        }
        interval = Self.interval(parameters)
        parameters.acceptWithoutEffect("insecureSkipVerify", because: "--insecure-endpoints decides")
    }

    /// Accepts the files of certificates, which this release does not use.
    static func acceptCertificates(_ parameters: ParameterDecoder) {
        parameters.acceptWithoutEffect(
            "caCertPath",
            "clientCertPath",
            "clientKeyPath",
            because: "pages are fetched with the certificates of the system and none of the client's"
        )
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
}
