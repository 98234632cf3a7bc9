/// Says where the endpoints of a pool are listed, in place of a cluster. The gateway reads the list and follows it.
///
/// A configuration uses the source that `dataLayer.discovery.pluginRef` names.
public protocol EndpointSource: Plugin {
    /// The path of the file with the endpoint list.
    var path: String { get }
    /// Whether the file is read again when it changes. Endpoints that vanish from it leave the pool; a file that is
    /// wrong changes nothing.
    var isWatched: Bool { get }
}
