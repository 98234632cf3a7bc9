import GatewayCore

extension IncomingRequest {
    /// The value of the first of `names` that the request has behind the changes of its route, which speaks for
    /// the operator where the header itself is only the client's word; `nil` when it has none.
    func first(of names: [StaticString], changedBy mutations: [HeaderMutation]) -> String? {
        guard !mutations.isEmpty else { return headers.first(of: names) }
        for name in names {
            let value = mutations.reduce(headers.first(name)) { $1.value(of: name, before: $0) }
            if let value { return value }
        }
        return nil
    }
}

extension HeaderMutation {
    /// The first value of the field called `name` behind the change, of which `value` is the one before.
    fileprivate func value(of name: StaticString, before value: String?) -> String? {
        if remove.contains(where: { $0.equalsIgnoringASCIICase(name) }) { return nil }
        return self.set.last { $0.name.equalsIgnoringASCIICase(name) }?.value ?? value
            ?? add.first { $0.name.equalsIgnoringASCIICase(name) }?.value
    }
}
