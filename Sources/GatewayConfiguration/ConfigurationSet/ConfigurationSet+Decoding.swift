package import GatewayCore

extension ConfigurationSet {
    /// The resources of `documents`, checked each and against each other.
    ///
    /// - Throws: ``ConfigurationError`` with everything that is wrong. Problems between resources are only looked for
    ///   when every resource by itself is right, for what refers to a broken one would be reported as well.
    package static func decode(documents: [ConfigurationValue]) throws(ConfigurationError) -> ConfigurationSet {
        var reader = ResourceReader()
        for document in documents { reader.read(document, path: "") }
        guard reader.problems.isEmpty else { throw ConfigurationError(reader.problems) }
        var validation = ConfigurationValidation(set: reader.set)
        validation.run()
        guard validation.problems.isEmpty else { throw ConfigurationError(validation.problems) }
        var set = reader.set
        set.warnings = ConfigurationError.ordered(reader.warnings + validation.warnings)
        return set
    }
}

extension ConfigurationSet {
    /// The one resource of a document that a cluster holds, by itself. The API server has checked it against the schema
    /// of its own version, so what is not known here is told and passed over, instead of being a mistake.
    ///
    /// - Returns: a set of at most that resource, and the fields that are not known.
    /// - Throws: ``ConfigurationError`` with everything that is wrong with it.
    package static func decode(
        clusterObject document: ConfigurationValue
    ) throws(ConfigurationError) -> (set: ConfigurationSet, unknownFields: [ConfigurationProblem]) {
        var reader = ResourceReader()
        let unknownFields = reader.readAlone(document)
        guard reader.problems.isEmpty else { throw ConfigurationError(reader.problems) }
        return (reader.set, unknownFields)
    }

    /// The resources of all `sets`, in their order.
    package init(merging sets: some Sequence<ConfigurationSet>) {
        self.init()
        for set in sets {
            pools += set.pools
            objectives += set.objectives
            rewrites += set.rewrites
            models += set.models
            modelMaps += set.modelMaps
        }
    }
}

/// The kinds of document that a configuration may hold, and the `apiVersion`s of each.
enum ResourceKind: String, CaseIterable {
    case gateway = "Gateway"
    case route = "HTTPRoute"
    case pool = "InferencePool"
    case objective = "InferenceObjective"
    case rewrite = "InferenceModelRewrite"
    case model = "InferenceModel"
    case endpointPicker = "EndpointPickerConfig"
    case endpoints = "Endpoints"
    case secret = "Secret"
    case configMap = "ConfigMap"
    case list = "List"
    case gatewayClass = "GatewayClass"
    case referenceGrant = "ReferenceGrant"
    case namespace = "Namespace"

    /// The versions that are read; empty when the kind has none.
    var apiVersions: [String] {
        switch self {
        case .gateway, .route, .gatewayClass: ["\(APIGroup.gateway)/v1", "\(APIGroup.gateway)/v1beta1"]
        case .referenceGrant: ["\(APIGroup.gateway)/v1beta1", "\(APIGroup.gateway)/v1"]
        case .pool: ["\(APIGroup.inference)/v1", "\(APIGroup.inferenceAlpha)/v1alpha2"]
        case .objective, .rewrite: ["\(APIGroup.llmD)/v1alpha2", "\(APIGroup.inferenceAlpha)/v1alpha2"]
        case .model: ["\(APIGroup.inferenceAlpha)/v1alpha2"]
        case .endpointPicker: EndpointPickerConfiguration.apiVersions
        case .endpoints: []
        case .secret, .configMap, .list, .namespace: ["v1"]
        }
    }
}

/// Turns documents into resources and collects what is wrong with them.
private struct ResourceReader {
    /// The most levels of `kind: List`; `kubectl` writes one.
    private static let maxListDepth = 4

    var set = ConfigurationSet()
    var problems: [ConfigurationProblem] = []
    var warnings: [ConfigurationProblem] = []

    mutating func read(_ value: ConfigurationValue, path: String, listDepth: Int = 0) {
        let document = ParameterDecoder(value: value, path: path)
        guard let kind = kind(of: document) else {
            problems += document.problems
            return
        }
        if kind == .list {
            readList(document, depth: listDepth)
        } else {
            checkVersion(document, kind: kind)
            readResource(document, kind: kind)
        }
        document.reportUnknownKeys()
        problems += document.problems
        warnings += document.warnings
    }

    /// Reads a resource of a cluster, and returns the fields that are not known.
    mutating func readAlone(_ value: ConfigurationValue) -> [ConfigurationProblem] {
        let document = ParameterDecoder(value: value)
        guard let kind = kind(of: document) else {
            problems += document.problems
            return []
        }
        checkVersion(document, kind: kind)
        readResource(document, kind: kind)
        problems += document.problems
        return document.takeUnknownKeys()
    }

    private func kind(of document: ParameterDecoder) -> ResourceKind? {
        guard document.problems.isEmpty else { return nil }
        // The file-discovery format of the endpoint picker is an endpoint list that does not say so.
        if !document.contains("kind"), !document.contains("apiVersion"), document.contains("endpoints") {
            return .endpoints
        }
        let text = document.requiredString("kind")
        guard !text.isEmpty else { return nil }
        if let kind = ResourceKind(rawValue: text) { return kind }
        let names = ResourceKind.allCases.map(\.rawValue)
        document.report(
            "unknown kind \(ConfigurationProblem.quoted(text)); known are \(names.joined(separator: ", "))", at: "kind",
            candidates: names, name: text
        )
        return nil
    }

    private func checkVersion(_ document: ParameterDecoder, kind: ResourceKind) {
        let versions = kind.apiVersions
        if versions.isEmpty {
            if document.contains("apiVersion") {
                document.report(
                    "an endpoint list has no apiVersion; Kubernetes' own Endpoints are not read", at: "apiVersion")
            }
            return
        }
        let version = document.requiredString("apiVersion")
        guard !version.isEmpty, !versions.contains(version) else { return }
        let known = versions.joined(separator: ", ")
        document.report(
            "\(ConfigurationProblem.quoted(version)) is not a version of \(kind.rawValue); known are \(known)",
            at: "apiVersion", candidates: versions, name: version
        )
    }

    private mutating func readList(_ list: ParameterDecoder, depth: Int) {
        list.accept("apiVersion", "metadata")
        guard depth < Self.maxListDepth else {
            list.report("lists are nested deeper than \(Self.maxListDepth) levels", at: "items")
            return
        }
        for (index, item) in list.array("items").enumerated() {
            read(item, path: "\(list.path(of: "items"))[\(index)]", listDepth: depth + 1)
        }
    }

    private mutating func readResource(_ document: ParameterDecoder, kind: ResourceKind) {
        switch kind {
        case .endpointPicker:
            let picker = EndpointPickerConfiguration(decoding: document)
            document.reportUnknownKeys()
            set.endpointPickers.append(picker)
        case .endpoints:
            document.accept("kind")
            set.endpoints += EndpointEntry.decode(document)
        case .gatewayClass, .referenceGrant, .namespace:
            document.accept("metadata", "spec", "status")
            document.warn("\(kind.rawValue) has no effect outside a cluster", at: "kind")
        default:
            readNamed(document, kind: kind, metadata: ResourceMetadata(decoding: document))
        }
    }

    private mutating func readNamed(_ document: ParameterDecoder, kind: ResourceKind, metadata: ResourceMetadata) {
        if metadata.stickyHeader != nil, kind != .rewrite, kind != .model {
            document.warn("its annotation for rewrites has no effect: it is not one", at: "metadata")
        }
        switch kind {
        case .gateway:
            set.gateways.append(GatewayResource(decoding: document, metadata: metadata))
        case .route:
            set.routes.append(HTTPRouteResource(decoding: document, metadata: metadata))
        case .pool:
            let isAlpha = document.string("apiVersion")?.hasPrefix(APIGroup.inferenceAlpha) ?? false
            set.pools.append(InferencePoolResource(decoding: document, metadata: metadata, isAlpha: isAlpha))
        case .objective:
            set.objectives.append(InferenceObjectiveResource(decoding: document, metadata: metadata))
        case .rewrite:
            set.rewrites.append(InferenceModelRewriteResource(decoding: document, metadata: metadata))
        case .model:
            set.models.append(InferenceModelResource(decoding: document, metadata: metadata))
        case .secret:
            set.secrets.append(TLSSecretResource(decoding: document, metadata: metadata))
        case .configMap:
            if let map = ConfigMapResource(decoding: document, metadata: metadata) { set.modelMaps.append(map) }
        case .endpointPicker, .endpoints, .list, .gatewayClass, .referenceGrant, .namespace:
            break
        }
    }
}
