import GatewayCore

/// One endpoint as an endpoint list names it, with its port.
package struct ListedEndpoint: Sendable {
    /// What identifies the endpoint. One of several ranks has its entry's name with `-rank-` and its place behind it.
    package let id: ResourceName
    /// The name of the entry, which all of its ranks share.
    package let podName: String
    /// An IPv4 or IPv6 address without brackets, or a name to resolve.
    package let host: String
    /// The TCP port, 1 to 65,535.
    package let port: Int
    /// Whether the endpoint speaks TLS (`scheme: https`).
    package let isSecure: Bool
    /// The labels that pools select by.
    package let labels: [String: String]
}

/// One entry of an endpoint list (`kind: Endpoints`): an endpoint, or the data-parallel ranks of one host, each of
/// which is an endpoint of its own.
package struct EndpointEntry: Sendable {
    /// Where the ports are written.
    enum Ports: Sendable {
        /// In the entry, for an endpoint that is no rank.
        case single(Int)
        /// In the entry, for 1 to 8 ranks.
        case ranks([Int])
        /// In the pool, whose target ports are ranks.
        case ofPool
    }

    /// What identifies the entry.
    package let id: ResourceName
    /// The labels that pools select by.
    package let labels: [String: String]
    private let host: String
    private let isSecure: Bool
    private let ports: Ports
    /// The ports that get requests; `nil` for all.
    private let activePorts: Set<Int>?
    /// Where the entry stands.
    let position: SourcePosition
    /// Its path in the document.
    private let path: String

    /// The endpoints of the entry in a pool with `targetPorts`, which are empty when nothing says them. Ports that are
    /// not active are left out, and the others keep their places.
    package func endpoints(targetPorts: [Int]) -> [ListedEndpoint] {
        let numbers: [Int] =
            switch ports {
            case .single(let port): [port]
            case .ranks(let ports): ports
            case .ofPool: targetPorts
            }
        return numbers.enumerated().compactMap { rank, port in
            if let activePorts, !activePorts.contains(port) { return nil }
            return ListedEndpoint(
                id: name(ofRank: rank), podName: id.name, host: host, port: port, isSecure: isSecure, labels: labels
            )
        }
    }

    private func name(ofRank rank: Int) -> ResourceName {
        if case .single = ports { return id }
        return ResourceName(namespace: id.namespace, name: "\(id.name)-rank-\(rank)")
    }

    /// The names that the entry takes: its own, and those of the ranks that it has or may have.
    private var names: [ResourceName] {
        switch ports {
        case .single: [id]
        case .ranks(let ports): [id] + ports.indices.map(name(ofRank:))
        case .ofPool: [id] + (0..<InferencePoolResource.maxTargetPorts).map(name(ofRank:))
        }
    }

    /// What is wrong with entries that take a name of an earlier one.
    static func duplicates(in entries: [EndpointEntry]) -> [ConfigurationProblem] {
        var seen: [ResourceName: SourcePosition] = [:]
        return entries.compactMap { entry in
            let names = entry.names
            let taken = names.first { seen[$0] != nil }
            let problem = taken.flatMap { name in
                seen[name].map { entry.problem("a second endpoint \(name); the first is at \($0)") }
            }
            for name in names where seen[name] == nil { seen[name] = entry.position }
            return problem
        }
    }

    /// That the entry has no port and that nothing else says one; `nil` for others.
    func missingPort(targetPorts: [Int]) -> ConfigurationProblem? {
        guard case .ofPool = ports, targetPorts.isEmpty else { return nil }
        return problem("required field \"port\" is missing: there is no InferencePool with targetPorts")
    }

    /// That none of the active ports is one of the pool's; `nil` when it does not matter.
    func strayActivePorts(targetPorts: [Int]) -> ConfigurationProblem? {
        guard case .ofPool = ports, let activePorts, !activePorts.isEmpty else { return nil }
        guard activePorts.isDisjoint(with: targetPorts) else { return nil }
        let list = targetPorts.map(String.init).joined(separator: ", ")
        return problem("gets no requests: none of its active ports is a target port of the pool (\(list))")
    }

    private func problem(_ message: String) -> ConfigurationProblem {
        ConfigurationProblem(position: position, path: path, message: message)
    }
}

extension EndpointEntry {
    /// Reads the list `endpoints` of `document`.
    static func decode(_ document: ParameterDecoder) -> [EndpointEntry] {
        if document.contains("subsets") {
            document.report("this is a Kubernetes Endpoints object, not an endpoint list", at: "subsets")
        }
        _ = ResourceMetadata(decodingOptionally: document)
        return document.objects("endpoints").map(EndpointEntry.init(decoding:))
    }

    private init(decoding decoder: ParameterDecoder) {
        id = ResourceName(namespace: decoder.namespace(), name: decoder.requiredName("name"))
        host = decoder.requiredString("address")
        if !host.isEmpty, HostAddress(host) == nil {
            let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
            let quoted = ConfigurationProblem.quoted(host)
            let reason = isBracketed ? "; an IPv6 address has no brackets here" : ""
            decoder.report("\(quoted) is not an IPv4 or IPv6 address or a DNS name\(reason)", at: "address")
        }
        ports = Self.ports(decoder)
        activePorts = Self.activePorts(decoder, of: ports)
        isSecure = decoder.enumeration("scheme", default: Scheme.http) == .https
        labels = decoder.labels("labels")
        position = decoder.position
        path = decoder.path
    }

    private enum Scheme: String, CaseIterable {
        case http
        case https
    }

    private static func ports(_ decoder: ParameterDecoder) -> Ports {
        let hasList = decoder.contains("ports")
        let list = ranks(decoder)
        guard let value = decoder.value("port") else { return hasList ? .ranks(list) : .ofPool }
        if hasList { decoder.report("\"port\" and \"ports\" say the same thing twice", at: "ports") }
        guard let port = port(value) else {
            decoder.report("\(value) is not a port in 1 to 65535", at: "port", value: value)
            return .single(1)
        }
        return .single(port)
    }

    private static func ranks(_ decoder: ParameterDecoder) -> [Int] {
        var ports: [Int] = []
        let list = decoder.array("ports")
        for (index, value) in list.enumerated() {
            guard let port = port(value) else {
                decoder.report("\(value) is not a port in 1 to 65535", at: "ports", index: index, value: value)
                continue
            }
            if ports.contains(port) {
                decoder.report("the port \(port) is listed twice", at: "ports", index: index, value: value)
            }
            ports.append(port)
        }
        if decoder.contains("ports"), !(1...InferencePoolResource.maxTargetPorts).contains(list.count) {
            decoder.report("an endpoint has 1 to 8 ports, not \(list.count)", at: "ports")
        }
        return ports
    }

    /// A port, as a number or, as in the file-discovery format, as text; `nil` for anything else.
    private static func port(_ value: ConfigurationValue) -> Int? {
        switch value.content {
        case .int(let number): (1...65_535).contains(number) ? Int(number) : nil
        case .string(let text): ActivePorts.port(text[...])
        default: nil
        }
    }

    // MARK: - Active ports

    /// The ports that an annotation calls active, `nil` without it.
    private static func activePorts(_ decoder: ParameterDecoder, of ports: Ports) -> Set<Int>? {
        let annotations = decoder.stringMap("annotations")
        guard let active = ActivePorts(annotations: annotations, mayHave: ports.mayHave) else { return nil }
        for stray in active.stray {
            let quoted = ConfigurationProblem.quoted(stray)
            decoder.warn("\(active.annotation): \(quoted) is no port of the endpoint", at: "annotations")
        }
        if active.ports.isEmpty {
            decoder.warn("\(active.annotation): no port is active, so none gets requests", at: "annotations")
        }
        return active.ports
    }
}

extension EndpointEntry.Ports {
    /// Whether `port` is one of them, or can be.
    fileprivate func mayHave(_ port: Int) -> Bool {
        switch self {
        case .single(let single): port == single
        case .ranks(let ranks): ranks.contains(port)
        case .ofPool: true
        }
    }
}
