/// The patches that an API server takes, besides apply.
enum ObjectPatch {
    /// RFC 7386: members replace members, `null` removes, anything else replaces the whole.
    static func merge(_ patch: ScriptedJSON, into target: ScriptedJSON?) -> ScriptedJSON {
        guard let members = patch.members else { return patch }
        var result = target?.members ?? [:]
        for (key, value) in members {
            result[key] = value == .null ? nil : merge(value, into: result[key])
        }
        return .object(result)
    }

    /// As ``merge(_:into:)``, and lists with a known key are merged by their elements. `isStrategic` for a strategic
    /// merge patch, in which members with `$` are directives and `null` removes; apply keeps `null`.
    static func mergeByKeys(
        _ patch: ScriptedJSON,
        into target: ScriptedJSON?,
        name: String = "",
        isStrategic: Bool
    ) -> ScriptedJSON {
        switch patch {
        case .object(let members):
            var result = target?.members ?? [:]
            for (key, value) in members where !(isStrategic && key.hasPrefix("$")) {
                if isStrategic, value == .null {
                    result[key] = nil
                } else {
                    result[key] = mergeByKeys(value, into: result[key], name: key, isStrategic: isStrategic)
                }
            }
            return .object(result)
        case .array(let elements):
            guard let key = Fields.key(of: elements, in: name) else { return patch }
            var result = target?.elements ?? []
            for element in elements {
                let index = result.firstIndex { $0[key] == element[key] }
                if isStrategic, element["$patch"]?.text == "delete" {
                    if let index { result.remove(at: index) }
                    continue
                }
                let merged = mergeByKeys(element, into: index.map { result[$0] }, isStrategic: isStrategic)
                if let index { result[index] = merged } else { result.append(merged) }
            }
            return .array(result)
        default:
            return patch
        }
    }

    /// RFC 6902: a list of operations, all or none.
    ///
    /// - Throws: ``ScriptedAPIFailure`` with status 422.
    static func apply(_ operations: ScriptedJSON, to target: ScriptedJSON) throws(ScriptedAPIFailure) -> ScriptedJSON {
        guard let operations = operations.elements else {
            throw .badRequest("a JSON patch is a list of operations")
        }
        var result = target
        for operation in operations {
            guard let name = operation["op"]?.text, let path = operation["path"]?.text.map(pointer) else {
                throw rejected
            }
            let from = operation["from"]?.text.map(pointer)
            switch name {
            case "add": try edit(&result, path, .add(operation["value"] ?? .null))
            case "replace": try edit(&result, path, .replace(operation["value"] ?? .null))
            case "remove": try edit(&result, path, .remove)
            case "test":
                guard value(result, path) == operation["value"] else { throw rejected }
            case "copy", "move":
                guard let from, let moved = value(result, from) else { throw rejected }
                if name == "move" { try edit(&result, from, .remove) }
                try edit(&result, path, .add(moved))
            default: throw rejected
            }
        }
        return result
    }

    fileprivate enum Edit {
        case add(ScriptedJSON)
        case replace(ScriptedJSON)
        case remove
    }

    private static let rejected = ScriptedAPIFailure(
        code: 422, reason: "Invalid", message: "the server rejected our request due to an error in our request"
    )

    private static func pointer(_ text: String) -> ArraySlice<String> {
        text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part in
            part.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
                .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
        }[...]
    }

    private static func value(_ target: ScriptedJSON, _ path: ArraySlice<String>) -> ScriptedJSON? {
        var value: ScriptedJSON? = target
        for part in path {
            if let elements = value?.elements {
                value = Int(part).flatMap { elements.indices.contains($0) ? elements[$0] : nil }
            } else {
                value = value?[part]
            }
        }
        return value
    }

    private static func edit(
        _ target: inout ScriptedJSON,
        _ path: ArraySlice<String>,
        _ change: Edit
    ) throws(ScriptedAPIFailure) {
        guard let first = path.first else {
            if case .remove = change { throw rejected }
            target = change.value ?? .null
            return
        }
        let rest = path.dropFirst()
        if var elements = target.elements {
            let index = first == "-" ? elements.count : Int(first) ?? -1
            if rest.isEmpty, case .add(let value) = change, (0...elements.count).contains(index) {
                elements.insert(value, at: index)
            } else if elements.indices.contains(index) {
                if rest.isEmpty, case .remove = change {
                    elements.remove(at: index)
                } else {
                    try edit(&elements[index], rest, change)
                }
            } else {
                throw rejected
            }
            target = .array(elements)
            return
        }
        guard target.members != nil else { throw rejected }
        guard rest.isEmpty else {
            guard var inner = target[first] else { throw rejected }
            try edit(&inner, rest, change)
            target[first] = inner
            return
        }
        if case .add = change {} else if target[first] == nil { throw rejected }
        target[first] = change.value
    }
}

extension ObjectPatch.Edit {
    fileprivate var value: ScriptedJSON? {
        switch self {
        case .add(let value), .replace(let value): value
        case .remove: nil
        }
    }
}
