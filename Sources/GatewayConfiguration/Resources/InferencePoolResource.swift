import GatewayCore

/// An InferencePool: the endpoints that serve the same models, selected by their labels.
///
/// Both shapes are read: `inference.networking.k8s.io/v1`, and `inference.networking.x-k8s.io/v1alpha2`, which has one
/// `targetPortNumber`, a flat selector and an `extensionRef`.
package struct InferencePoolResource: Sendable {
    /// The most target ports.
    static let maxTargetPorts = 8

    /// What the endpoints of a pool speak.
    package enum ApplicationProtocol: String, Sendable, CaseIterable {
        /// HTTP/1.1.
        case http = "http"
        /// HTTP/2 without TLS and without an upgrade.
        case h2c = "kubernetes.io/h2c"
    }

    /// What identifies the pool.
    package let metadata: ResourceMetadata
    /// The labels that an endpoint must all have, at least one.
    package let selector: [String: String]
    /// The ports of an endpoint in a cluster or without a port of its own, 1 to 8 different ones; each is an endpoint
    /// of its own, a rank.
    package let targetPorts: [Int]
    /// What the endpoints speak.
    package let appProtocol: ApplicationProtocol

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata, isAlpha: Bool) {
        self.metadata = metadata
        let spec = document.requiredObject("spec")
        document.accept("status")
        if isAlpha {
            selector = spec.labels("selector")
            targetPorts = [spec.requiredInt("targetPortNumber", in: 1...65_535)]
            appProtocol = .http
            Self.checkPicker(spec, key: "extensionRef", portKey: "portNumber")
        } else {
            selector = spec.requiredObject("selector").labels("matchLabels")
            targetPorts = Self.ports(spec)
            appProtocol = spec.enumeration("appProtocol", default: .http)
            Self.checkPicker(spec, key: "endpointPickerRef", portKey: "port")
        }
        if spec.contains("selector"), !(1...64).contains(selector.count) {
            spec.report("a pool selects by 1 to 64 labels, not \(selector.count)", at: "selector")
        }
    }

    /// Whether an endpoint with `labels` belongs to the pool.
    package func selects(_ labels: [String: String]) -> Bool {
        selector.allSatisfy { labels[$0.key] == $0.value }
    }

    private static func ports(_ spec: ParameterDecoder) -> [Int] {
        var ports: [Int] = []
        for entry in spec.objects("targetPorts") {
            let number = entry.requiredInt("number", in: 1...65_535)
            if ports.contains(number) { entry.report("the port \(number) is listed twice", at: "number") }
            ports.append(number)
        }
        if !(1...maxTargetPorts).contains(ports.count) {
            spec.report("a pool has 1 to 8 target ports, not \(ports.count)", at: "targetPorts")
        }
        return ports
    }

    /// Checks the reference to an external endpoint picker, which the built-in one replaces.
    private static func checkPicker(_ spec: ParameterDecoder, key: String, portKey: String) {
        guard let reference = spec.object(key) else { return }
        reference.accept("group", "kind")
        _ = reference.requiredName("name")
        if portKey == "port" {
            _ = reference.object(portKey)?.requiredInt("number", in: 1...65_535)
        } else {
            _ = reference.int(portKey, in: 1...65_535)
        }
        let modes = ["FailOpen", "FailClose"]
        if let mode = reference.string("failureMode"), !modes.contains(mode) {
            let message = "\(ConfigurationProblem.quoted(mode)) is not one of FailOpen, FailClose"
            reference.report(message, at: "failureMode", candidates: modes, name: mode)
        }
        spec.warn("has no effect: the endpoint picker is built in", at: key)
    }
}
