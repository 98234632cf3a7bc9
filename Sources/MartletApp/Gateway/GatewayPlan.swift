import GatewayConfiguration
import GatewayCore
import RequestControl
import ReverseProxy

/// What a gateway is to be, made from flags or from a configuration; nothing of it runs yet.
///
/// A plan is made and checked whole before anything of it takes effect, so a bad configuration changes nothing.
struct GatewayPlan: Sendable {
    /// A certificate chain with its key, in PEM.
    struct Certificate: Sendable {
        let chain: String
        let key: SecretText
    }

    /// A place where clients connect.
    struct Listener: Sendable {
        let address: BindAddress
        let routes: RouteTableKey
        let certificate: Certificate?
    }

    /// A pool with its endpoints.
    struct Pool: Sendable {
        let id: PoolID
        let endpoints: [EndpointDescription]
        /// The ports of endpoints that have none of their own; empty when nothing says them.
        var targetPorts: [Int] = []
        let picker: EndpointPickerConfiguration
    }

    /// Where clients connect.
    var listeners: [Listener]
    /// The routes by listener.
    var tables: [RouteTableKey: RouteTable]
    /// The pools in the order of the configuration.
    var pools: [Pool]
    /// The base models of adapters, by the configuration.
    var modelMapping = ModelMapping()
    /// The priorities of each pool's requests.
    var objectives: [PoolID: ObjectiveTable] = [:]
    /// Which models serve the requests of each pool.
    var rewrites: [PoolID: ModelRewriteTable] = [:]
    /// What is accepted and has no effect, or looks like a mistake.
    var warnings: [String] = []

    /// Everything to one pool, whose endpoints its picker's source finds.
    init(pool: PoolID, picker: EndpointPickerConfiguration) {
        pools = [Pool(id: pool, endpoints: [], picker: picker)]
        tables = [.standalone: RouteTable(everythingTo: pool)]
        listeners = []
    }

    /// Everything to one pool, as a cluster has it.
    ///
    /// - Parameters:
    ///   - endpoints: the pods of the pool.
    ///   - targetPorts: their ports.
    ///   - configuration: the objectives, rewrites and models of the pool.
    init(
        pool: PoolID,
        picker: EndpointPickerConfiguration,
        endpoints: [EndpointDescription],
        targetPorts: [Int],
        configuration: ConfigurationSet
    ) {
        self.init(pool: pool, picker: picker)
        pools = [Pool(id: pool, endpoints: endpoints, targetPorts: targetPorts, picker: picker)]
        addModels(configuration)
    }

    /// One pool of the given endpoints behind one listener: the gateway of the short form.
    ///
    /// - Throws: ``CommandError`` for an argument that is no address, or a name that is used twice.
    init(options: ServeOptions, simulated: [EndpointDescription]) throws(CommandError) {
        var endpoints = simulated
        for (number, text) in options.endpoints.enumerated() {
            let argument = try EndpointArgument(text)
            let id = EndpointID(name: argument.name ?? "endpoint-\(number)")
            if endpoints.contains(where: { $0.id == id }) {
                throw CommandError("--endpoint '\(text)': the name '\(id.name)' is used twice.")
            }
            endpoints.append(EndpointDescription(id: id, address: argument.address))
        }
        let pool = PoolID(name: "default")
        pools = [Pool(id: pool, endpoints: endpoints, picker: .builtinDefault)]
        tables = [.standalone: RouteTable(everythingTo: pool)]
        let address = try BindAddress(options.listen ?? ServeOptions.defaultListen, flag: "--listen")
        listeners = [Listener(address: address, routes: .standalone, certificate: nil)]
    }
}
