import GatewayConfiguration
import GatewayCore
import KubernetesDiscovery
import RequestControl

/// Where the pools of `martlet epp` come from: resources in files, the discovery file of an endpoint picker, or a
/// cluster.
struct EppPlan: Sendable {
    private let options: EppOptions
    /// The endpoint picker of pools without one of their own.
    let picker: EndpointPickerConfiguration
    /// The pool of a cluster that is followed; `nil` when files say everything.
    let scope: PoolScope?

    /// Reads the endpoint picker that the options name, once.
    ///
    /// - Throws: ``ConfigurationError`` when it cannot be used; ``CommandError`` when nothing says where endpoints are,
    ///   or two things do.
    init(_ options: EppOptions) throws {
        self.options = options
        picker = try Self.picker(options)
        let isDiscovering = picker.dataLayer.discovery != nil
        if !options.resourcesPath.isEmpty, isDiscovering {
            throw CommandError(
                "--config lists the endpoints; it does not go with dataLayer.discovery of --config-file.")
        }
        scope = options.resourcesPath.isEmpty && !isDiscovering ? try PoolScope(options) : nil
    }

    /// The plan now. Resources are read anew; of a cluster nothing is known yet, and the pool has no endpoints.
    ///
    /// - Throws: ``ConfigurationError`` and ``CommandError`` for what is wrong with them.
    func make() throws -> GatewayPlan {
        if let scope { return GatewayPlan(pool: PoolID(scope.pool), picker: picker) }
        var plan = try fromFiles()
        if options.electsLeader {
            plan.warnings.append(
                "--ha-enable-leader-election has no effect: without a cluster there is no lease to hold")
        }
        return plan
    }

    private func fromFiles() throws -> GatewayPlan {
        guard !options.resourcesPath.isEmpty else {
            let name = options.poolName.isEmpty ? EppOptions.defaultPoolName : options.poolName
            return GatewayPlan(pool: PoolID(namespace: options.poolNamespace, name: name), picker: picker)
        }
        return try GatewayPlan(
            askedBy: try ConfigurationSet.load(path: options.resourcesPath),
            picker: picker,
            poolName: options.poolName,
            namespace: options.poolNamespace
        )
    }

    private static func picker(_ options: EppOptions) throws -> EndpointPickerConfiguration {
        if !options.pickerText.isEmpty {
            return try EndpointPickerConfiguration.decode(text: options.pickerText, file: "--config-text")
        }
        return options.pickerPath.isEmpty
            ? .builtinDefault : try EndpointPickerConfiguration.load(path: options.pickerPath)
    }
}

extension PoolScope {
    /// The pool of a cluster that the flags name.
    ///
    /// - Throws: ``CommandError`` when they name none.
    fileprivate init(_ options: EppOptions) throws(CommandError) {
        if !options.poolName.isEmpty {
            self.init(
                pool: ResourceName(namespace: options.poolNamespace, name: options.poolName),
                definition: .resource(group: options.poolGroup)
            )
        } else if !options.endpointSelector.isEmpty {
            self.init(
                pool: ResourceName(namespace: options.poolNamespace, name: try options.deploymentName),
                definition: .selector(labels: options.endpointSelector, ports: options.targetPorts)
            )
        } else {
            throw CommandError(
                "Nothing says where endpoints are: give --pool-name or --endpoint-selector for those of a cluster, "
                    + "--config PATH with an InferencePool and its endpoints, or a --config-file whose "
                    + "dataLayer.discovery names a file-discovery plugin."
            )
        }
    }
}

extension EppOptions {
    /// The name of the Deployment that the process's pod belongs to: the pod's without the two parts that its
    /// ReplicaSet and the pod itself added. The pool of `--endpoint-selector` is called after it.
    ///
    /// - Throws: ``CommandError`` when `POD_NAME` is not set or is no such name.
    fileprivate var deploymentName: String {
        get throws(CommandError) {
            let parts = podName.split(separator: "-", omittingEmptySubsequences: false)
            let isGenerated =
                parts.count > 2
                && parts.suffix(2).allSatisfy { part in
                    !part.isEmpty && part.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) }
                }
            let name = parts.dropLast(2).joined(separator: "-")
            guard isGenerated, !name.isEmpty else {
                let found = podName.isEmpty ? "it is not set" : "'\(podName)' is none"
                throw CommandError(
                    "--endpoint-selector needs POD_NAME, the name of a pod of a Deployment, after which the pool is "
                        + "called: \(found)."
                )
            }
            return name
        }
    }
}
