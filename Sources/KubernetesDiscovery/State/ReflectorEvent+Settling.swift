import KubernetesClient

extension ReflectorEvent {
    /// Whether it is known from here on what objects there are, or that nothing can be learned of them before somebody
    /// changes the cluster: the type is not installed, may not be read, or the server fails over it, as over one whose
    /// conversion is broken. A server that cannot be reached or is busy settles nothing.
    var settles: Bool {
        switch self {
        case .replaced, .waiting(.notFound), .waiting(.forbidden), .waiting(.refused), .waiting(.malformed): true
        case .changed, .removed, .malformed, .waiting, .resumed: false
        }
    }
}
