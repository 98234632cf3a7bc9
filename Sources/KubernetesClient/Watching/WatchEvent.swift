/// What a watch tells.
package enum WatchEvent<Object: KubernetesObject>: Sendable {
    /// The object is new.
    case added(Object)
    /// The object has changed.
    case modified(Object)
    /// The object is gone, or no longer one that the query asks for. Only name, namespace, `uid` and version are read;
    /// the version is that of its end.
    case deleted(ObjectMetadata)
    /// Nothing else happened up to this version.
    case bookmark(resourceVersion: String)
    /// The event cannot be read, or is of a type that this client does not know.
    case malformed(MalformedObject)
}
