import KubernetesClient

extension ReflectorEvent {
    /// Whether it is known from here on what objects there are, or that nothing can be learned of them before somebody
    /// changes the cluster: the type is not installed, or may not be read. A server that cannot be reached settles
    /// nothing.
    var settles: Bool {
        switch self {
        case .replaced, .waiting(.notFound), .waiting(.forbidden): true
        case .changed, .removed, .malformed, .waiting, .resumed: false
        }
    }
}
