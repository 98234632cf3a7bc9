package import GatewayCore

/// Which of a pool's endpoints a request may go to, beside being available.
package struct RequestConstraint: Hashable, Sendable {
    /// Any endpoint of the pool.
    package static let none = RequestConstraint(model: "", subset: nil)

    /// The model that has to be served; empty when every endpoint serves it, as far as they have told.
    package let model: String
    /// The endpoints that the proxy allows; `nil` for all.
    package let subset: EndpointSubset?

    /// Makes a constraint.
    package init(model: String, subset: EndpointSubset?) {
        self.model = model
        self.subset = subset
    }
}

/// Names a constraint in one engine.
struct ConstraintID: Hashable {
    /// No constraint.
    static let none = ConstraintID(number: 0)

    let number: Int
}

/// How much room the endpoints have that a request may go to.
package struct PoolRoom: Hashable, Sendable {
    /// Whether there is no endpoint at all.
    package var isEmpty: Bool
    /// How full they are, 0 ... 1: the mean over those of which something is known, each at most 1, so that it is 1
    /// exactly when every one of them is full.
    package var saturation: Double

    /// Makes a room.
    package init(isEmpty: Bool, saturation: Double) {
        self.isEmpty = isEmpty
        self.saturation = saturation
    }
}

/// The constraints of the requests that wait, by small numbers. Forgotten when no request waits with one.
struct ConstraintTable {
    private var constraints: [RequestConstraint] = [.none]
    private var counts = [0]
    private var numbers: [RequestConstraint: Int] = [.none: 0]
    private var free: [Int] = []

    subscript(id: ConstraintID) -> RequestConstraint { constraints[id.number] }

    /// The number of `constraint`, for one more request.
    mutating func enter(_ constraint: RequestConstraint) -> ConstraintID {
        if constraint == .none { return .none }
        if let number = numbers[constraint] {
            counts[number] += 1
            return ConstraintID(number: number)
        }
        let number = free.popLast() ?? constraints.count
        if number == constraints.count {
            constraints.append(constraint)
            counts.append(1)
        } else {
            constraints[number] = constraint
            counts[number] = 1
        }
        numbers[constraint] = number
        return ConstraintID(number: number)
    }

    /// A request with `id` waits no more.
    mutating func leave(_ id: ConstraintID) {
        guard id != .none else { return }
        counts[id.number] -= 1
        guard counts[id.number] == 0 else { return }
        numbers[constraints[id.number]] = nil
        constraints[id.number] = .none
        free.append(id.number)
    }
}
