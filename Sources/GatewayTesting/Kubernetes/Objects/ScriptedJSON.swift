/// Any JSON value. Integers stay integers: what goes in as `1` does not come out as `1.0`.
package enum ScriptedJSON: Hashable, Sendable {
    case null
    case bool(Bool)
    case int(Int64)
    case double(Double)
    case string(String)
    case array([ScriptedJSON])
    case object([String: ScriptedJSON])

    /// The member called `key`; `nil` when there is none, or this is no object. Setting `nil` removes it, and setting a
    /// member of what is no object makes it one.
    package subscript(key: String) -> ScriptedJSON? {
        get { members?[key] }
        set {
            var members = members ?? [:]
            members[key] = newValue
            self = .object(members)
        }
    }

    /// The value at the end of a path of members.
    package subscript(path first: String, _ rest: String...) -> ScriptedJSON? {
        var value = self[first]
        for key in rest { value = value?[key] }
        return value
    }

    /// Sets the value at the end of a path of members, and makes the objects on the way that are missing.
    package mutating func set(_ value: ScriptedJSON?, at path: [String]) {
        guard let first = path.first else { return }
        guard path.count > 1 else {
            self[first] = value
            return
        }
        var inner = self[first] ?? .object([:])
        inner.set(value, at: Array(path.dropFirst()))
        self[first] = inner
    }

    /// The members of an object.
    package var members: [String: ScriptedJSON]? {
        guard case .object(let members) = self else { return nil }
        return members
    }

    /// The elements of an array.
    package var elements: [ScriptedJSON]? {
        guard case .array(let elements) = self else { return nil }
        return elements
    }

    /// The text of a string.
    package var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    /// The value of an integer.
    package var integer: Int64? {
        guard case .int(let value) = self else { return nil }
        return value
    }

    /// The value of a number.
    package var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        default: nil
        }
    }

    /// The value of a boolean.
    package var flag: Bool? {
        guard case .bool(let flag) = self else { return nil }
        return flag
    }
}

extension ScriptedJSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .int(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}

extension ScriptedJSON: ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral {
    package init(arrayLiteral elements: ScriptedJSON...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, ScriptedJSON)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}
