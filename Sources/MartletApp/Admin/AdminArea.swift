/// A part of what the admin address answers: paths of its own.
protocol AdminArea: Sendable {
    /// The paths, as a list of what is there shows them.
    var paths: [String] { get }
    /// Whether a request acts, and so is answered only to those who have the admin token.
    func acts(_ request: AdminRequest) -> Bool
    /// Whether the answer holds no data, and so is anybody's.
    func isOpen(_ request: AdminRequest) -> Bool
    /// Whether the answer depends on the request's body, or may take long.
    func takesBody(_ request: AdminRequest) -> Bool
    /// The answer; `nil` when the path is another's.
    func answer(_ request: AdminRequest) -> AdminResponse?
}

extension AdminArea {
    /// Everything holds data, unless the area says otherwise.
    func isOpen(_ request: AdminRequest) -> Bool { false }
    /// Nothing acts, unless the area says so.
    func acts(_ request: AdminRequest) -> Bool { false }
    /// No body is looked at, unless the area says so.
    func takesBody(_ request: AdminRequest) -> Bool { false }
}
