/// The endpoints that a request may still go to.
///
/// Filters narrow it; scorers and pickers index it from 0 to `count - 1`. The underlying array is shared, narrowing
/// keeps a list of positions.
public struct Candidates: Sendable {
    /// Every endpoint that the request started with.
    public let all: [EndpointSnapshot]
    /// The positions in ``all`` that are left, ascending.
    public private(set) var positions: [Int]

    /// Starts with all of `endpoints`.
    public init(_ endpoints: [EndpointSnapshot]) {
        all = endpoints
        positions = Array(0..<endpoints.count)
    }

    /// How many candidates are left.
    public var count: Int { positions.count }

    /// Whether none is left.
    public var isEmpty: Bool { positions.isEmpty }

    /// The candidate at `index`, 0 ..< ``count``.
    @inlinable
    public subscript(index: Int) -> EndpointSnapshot {
        all[positions[index]]
    }

    /// Keeps only the candidates that `isKept` accepts, in order.
    public mutating func keep(where isKept: (EndpointSnapshot) -> Bool) {
        positions.removeAll { !isKept(all[$0]) }
    }

    /// Keeps only the candidates that `isKept` accepts, in order. When it accepts none, all stay if `fallsBack`: for
    /// what is worth having and never worth a refusal.
    public mutating func keep(orAll fallsBack: Bool, where isKept: (EndpointSnapshot) -> Bool) {
        let kept = positions.filter { isKept(all[$0]) }
        if !kept.isEmpty || !fallsBack { positions = kept }
    }
}
