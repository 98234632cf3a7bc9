package import GatewayCore

extension EndpointPickerConfiguration {
    /// The `apiVersion`s of the document; the second is the name before the project moved.
    static let apiVersions = ["\(APIGroup.llmD)/v1alpha1", "\(APIGroup.inferenceAlpha)/v1alpha1"]

    /// Reads one EndpointPickerConfig from YAML or JSON text, such as that of `--config-file` or `--config-text`.
    ///
    /// - Parameters:
    ///   - text: the document; there must be exactly one.
    ///   - file: the name of the source in positions.
    /// - Throws: ``ConfigurationError`` with everything that is wrong with the text.
    package static func decode(text: String, file: String) throws(ConfigurationError) -> EndpointPickerConfiguration {
        let documents = try YAMLDocumentReader().read(text, file: file)
        guard let document = documents.first, documents.count == 1 else {
            let message = "expected one EndpointPickerConfig, found \(documents.count) documents"
            throw ConfigurationError(position: SourcePosition(file: file), message: message)
        }
        return try decode(document: document)
    }

    /// Reads one EndpointPickerConfig from a document.
    ///
    /// - Throws: ``ConfigurationError`` with everything that is wrong with it.
    package static func decode(document value: ConfigurationValue) throws(ConfigurationError)
        -> EndpointPickerConfiguration
    {
        let document = ParameterDecoder(value: value)
        let apiVersion = document.requiredString("apiVersion")
        if !apiVersion.isEmpty, !apiVersions.contains(apiVersion) {
            document.report(
                "\(ConfigurationProblem.quoted(apiVersion)) is not one of \(apiVersions.joined(separator: ", "))",
                at: "apiVersion", candidates: apiVersions, name: apiVersion
            )
        }
        let kind = document.requiredString("kind")
        if !kind.isEmpty, kind != "EndpointPickerConfig" {
            document.report(
                "expected EndpointPickerConfig, found \(ConfigurationProblem.quoted(kind))", at: "kind",
                candidates: ["EndpointPickerConfig"], name: kind
            )
        }
        var configuration = EndpointPickerConfiguration(decoding: document)
        try document.finish()
        configuration.warnings = document.warnings
        return configuration
    }

    /// Reads one EndpointPickerConfig from the file at `path`, which has at most 8 MiB. Blocks while it reads.
    ///
    /// - Throws: ``ConfigurationError`` when the file cannot be read, or with everything that is wrong with its text.
    package static func load(path: String) throws(ConfigurationError) -> EndpointPickerConfiguration {
        let limits = YAMLDocumentReader.Limits()
        return try decode(text: try ConfigurationFile.read(path, maxBytes: limits.maxBytes), file: path)
    }

    /// Reads the document; `apiVersion` and `kind` are the caller's. Warnings stay with the decoder.
    init(decoding document: ParameterDecoder) {
        document.accept("apiVersion", "kind")
        if document.value("apiVersion")?.content == .string(Self.apiVersions[1]) {
            document.warn("\(Self.apiVersions[1]) is deprecated, write \(Self.apiVersions[0])", at: "apiVersion")
        }
        pool = ResourceMetadata(decodingOptionally: document)?.id
        position = document.position
        featureGates = Self.featureGates(document)
        plugins = document.objects("plugins").map(Self.plugin)
        schedulingProfiles = document.objects("schedulingProfiles").map(Self.profile)
        dataLayer = document.object("dataLayer").map(Self.dataLayer) ?? DataLayer()
        let flow = document.object("flowControl")
        let writtenFlow = flow.map { FlowControl(decoding: $0) }
        // A flow control section that only names the detector says nothing of queues.
        flowControl = flow?.keys.allSatisfy { $0 == "saturationDetector" } ?? true ? nil : writtenFlow
        let deprecatedDetector = document.object("saturationDetector")?.requiredPluginReference("pluginRef")
        let detector = flow?.object("saturationDetector")?.requiredPluginReference("pluginRef")
        saturationDetector = detector ?? deprecatedDetector
        if deprecatedDetector != nil {
            document.warn(
                detector == nil
                    ? "is deprecated, write flowControl.saturationDetector"
                    : "has no effect beside flowControl.saturationDetector",
                at: "saturationDetector"
            )
        }
        parsers = document.object("requestHandler").map(Self.parsers) ?? []
        if let deprecated = document.object("parser")?.requiredPluginReference("pluginRef") {
            document.warn(
                parsers.isEmpty
                    ? "is deprecated, write requestHandler.parsers" : "has no effect beside requestHandler.parsers",
                at: "parser"
            )
            if parsers.isEmpty { parsers = [deprecated] }
        }
        warnings = []
    }

    private static func featureGates(_ document: ParameterDecoder) -> [FeatureGate] {
        let known = knownFeatureGates.map(\.name)
        // Gates of features that are no longer optional; configurations from that time still turn them on.
        let retired = ["dataLayer", "prepareDataPlugins"]
        return document.array("featureGates").enumerated()
            .compactMap { index, value in
                guard case .string(let text) = value.content else {
                    document.report("expected text, found \(value)", at: "featureGates", index: index, value: value)
                    return nil
                }
                let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
                let name = trimmed(parts[0])
                let quoted = ConfigurationProblem.quoted(name)
                if retired.contains(name) {
                    document.warn("the gate \(quoted) has no effect: the feature is always on", at: "featureGates")
                    return nil
                }
                guard known.contains(name) else {
                    let nearest = NearestName.find(name, in: known).map { " (did you mean \"\($0)\"?)" }
                    let hint = nearest ?? "; known are \(known.joined(separator: ", "))"
                    document.report(
                        "unknown feature gate \(quoted)\(hint)", at: "featureGates", index: index, value: value)
                    return nil
                }
                guard let isEnabled = parts.count == 1 ? true : goBool(trimmed(parts[1])) else {
                    let message = "\(ConfigurationProblem.quoted(text)) sets a gate to neither true nor false"
                    document.report(message, at: "featureGates", index: index, value: value)
                    return nil
                }
                return FeatureGate(name: name, isEnabled: isEnabled, position: value.position)
            }
    }

    /// The truth values of Go's `strconv.ParseBool`, without regard to case.
    private static func goBool(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "1", "t", "true": true
        case "0", "f", "false": false
        default: nil
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while text.first?.isWhitespace == true { text.removeFirst() }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    private static func plugin(_ decoder: ParameterDecoder) -> Plugin {
        let type = decoder.requiredString("type")
        let name = decoder.string("name") ?? ""
        return Plugin(
            name: name.isEmpty ? type : name,
            type: type,
            parameters: decoder.value("parameters"),
            position: decoder.position,
            path: decoder.path
        )
    }

    private static func profile(_ decoder: ParameterDecoder) -> SchedulingProfile {
        SchedulingProfile(
            name: decoder.requiredString("name"),
            plugins: decoder.objects("plugins").map { entry in
                ProfilePlugin(
                    plugin: entry.requiredPluginReference("pluginRef"),
                    weight: entry.double("weight")
                )
            },
            position: decoder.position,
            path: decoder.path
        )
    }

    private static func dataLayer(_ decoder: ParameterDecoder) -> DataLayer {
        for key in ["peerDiscovery", "crossReplicaSyncerPluginRef", "crossReplicaSyncInterval"]
        where decoder.contains(key) {
            decoder.warn("has no effect: this release shares no state with other replicas", at: key)
        }
        return DataLayer(
            injectsDefaults: decoder.bool("injectDefaults", default: true),
            sources: decoder.objects("sources").map { entry in
                DataSource(
                    source: entry.requiredPluginReference("pluginRef"),
                    extractors: entry.objects("extractors").map { $0.requiredPluginReference("pluginRef") }
                )
            },
            discovery: decoder.object("discovery")?.requiredPluginReference("pluginRef"),
            peerDiscovery: decoder.object("peerDiscovery")?.requiredPluginReference("pluginRef"),
            crossReplicaSyncer: decoder.pluginReference("crossReplicaSyncerPluginRef"),
            crossReplicaSyncInterval: decoder.duration(
                "crossReplicaSyncInterval", in: .milliseconds(1) ... .seconds(3_600)
            )
        )
    }

    private static func parsers(_ decoder: ParameterDecoder) -> [PluginReference] {
        decoder.objects("parsers").map { $0.requiredPluginReference("pluginRef") }
    }
}

extension ParameterDecoder {
    /// The reference to a plugin at `key`; `nil` when it is absent or empty.
    func pluginReference(_ key: String) -> EndpointPickerConfiguration.PluginReference? {
        guard let name = string(key), !name.isEmpty else { return nil }
        return EndpointPickerConfiguration.PluginReference(name: name, position: position(of: key), path: path(of: key))
    }

    /// The reference to a plugin at `key`, which must not be missing.
    func requiredPluginReference(_ key: String) -> EndpointPickerConfiguration.PluginReference {
        EndpointPickerConfiguration.PluginReference(
            name: requiredString(key), position: position(of: key), path: path(of: key)
        )
    }
}
