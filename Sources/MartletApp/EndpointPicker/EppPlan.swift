import GatewayConfiguration
import GatewayCore
import RequestControl

/// Where the pools of `martlet epp` come from: resources, or the discovery file of an endpoint picker.
struct EppPlan: Sendable {
    private let options: EppOptions
    /// The endpoint picker of pools without one of their own.
    private let picker: EndpointPickerConfiguration

    /// Reads the endpoint picker that the options name, once.
    ///
    /// - Throws: ``ConfigurationError`` when it cannot be used; ``CommandError`` when nothing says where endpoints are,
    ///   or two things do.
    init(_ options: EppOptions) throws {
        self.options = options
        picker = try Self.picker(options)
        let isDiscovering = picker.dataLayer.discovery != nil
        if options.resourcesPath.isEmpty, !isDiscovering {
            throw CommandError(
                "This release finds no endpoints in a cluster: give --config PATH with an InferencePool and its "
                    + "endpoints, or a --config-file whose dataLayer.discovery names a file-discovery plugin."
            )
        }
        if !options.resourcesPath.isEmpty, isDiscovering {
            throw CommandError(
                "--config lists the endpoints; it does not go with dataLayer.discovery of --config-file.")
        }
    }

    /// The plan now. Resources are read anew.
    ///
    /// - Throws: ``ConfigurationError`` and ``CommandError`` for what is wrong with them.
    func make() throws -> GatewayPlan {
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
