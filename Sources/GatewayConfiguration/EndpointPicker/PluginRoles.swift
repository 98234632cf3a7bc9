package import GatewayCore

/// What the instances of a plugin type can be used for; a type may have several roles.
package struct PluginRoles: OptionSet, Sendable {
    /// One bit for each role.
    package let rawValue: Int

    /// Makes a set from the bits of its roles.
    package init(rawValue: Int) {
        self.rawValue = rawValue
    }

    /// The roles of a type, by where its instances act.
    package init(of type: any Plugin.Type) {
        self = PluginKind.actingKinds(of: type).reduce(into: []) { $0.formUnion($1.role) }
    }

    /// Takes endpoints out of the candidates.
    package static let filter = PluginRoles(rawValue: 1 << 0)
    /// Gives candidates a score.
    package static let scorer = PluginRoles(rawValue: 1 << 1)
    /// Chooses among the scored.
    package static let picker = PluginRoles(rawValue: 1 << 2)
    /// Chooses which profiles run.
    package static let profileHandler = PluginRoles(rawValue: 1 << 3)
    /// Reads requests.
    package static let parser = PluginRoles(rawValue: 1 << 4)
    /// Fetches data about endpoints.
    package static let dataSource = PluginRoles(rawValue: 1 << 5)
    /// Takes values out of what a source fetched.
    package static let extractor = PluginRoles(rawValue: 1 << 6)
    /// Tells a full pool from one with room.
    package static let saturationDetector = PluginRoles(rawValue: 1 << 7)
    /// Anything else that acts on a request.
    package static let other = PluginRoles(rawValue: 1 << 8)
    /// Says where endpoints are listed.
    package static let endpointSource = PluginRoles(rawValue: 1 << 9)

    /// Chooses whose turn it is.
    package static let fairnessPolicy = PluginRoles(rawValue: 1 << 10)
    /// Orders the requests of a flow.
    package static let orderingPolicy = PluginRoles(rawValue: 1 << 11)
    /// Bounds how full the pool may get for a priority.
    package static let usageLimitPolicy = PluginRoles(rawValue: 1 << 12)
    /// Says who is ended for whom.
    package static let evictionPolicy = PluginRoles(rawValue: 1 << 13)

    /// What can stand in a scheduling profile.
    package static let scheduling: PluginRoles = [.filter, .scorer, .picker]
    /// What queues refer to.
    package static let flowControl: PluginRoles = [.fairnessPolicy, .orderingPolicy, .usageLimitPolicy]
}
