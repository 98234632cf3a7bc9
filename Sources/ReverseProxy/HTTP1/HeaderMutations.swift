import GatewayCore
import HTTP1Messages

/// Several changes to a header, one after the other, as one question to each field: does it stay?
///
/// A change sets, then adds, then removes, and a later one sees what an earlier one left. Fields that say where a
/// message ends or that belong to one connection are never changed: a route that sets `content-length` would make two
/// readers disagree about where the next message begins.
struct HeaderMutations {
    private let mutations: [HeaderMutation]

    init(_ mutations: [HeaderMutation]) {
        self.mutations = mutations
    }

    /// The most bytes that ``forEachAdded(_:)`` can bring, with a separator and a line's end for each field.
    var bytesMax: Int {
        mutations.reduce(0) { sum, mutation in
            let set = mutation.set.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
            return mutation.add.reduce(sum + set) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
        }
    }

    /// Whether a field of the message called `name` is replaced or removed.
    @inline(__always)
    func drops(_ name: UnsafeRawBufferPointer) -> Bool {
        for mutation in mutations where mutation.drops(name) { return true }
        return false
    }

    /// Calls `body` with each field that the changes bring and leave, in order.
    func forEachAdded(_ body: (HeaderMutation.Field) -> Void) {
        for (index, mutation) in mutations.enumerated() {
            let later = mutations.dropFirst(index + 1)
            for (position, field) in mutation.set.enumerated() where !field.isFraming {
                let isReplaced =
                    mutation.set.dropFirst(position + 1).contains { $0.name.equalsIgnoringASCIICase(field.name) }
                    || mutation.removes(field.name) || later.contains { $0.drops(field.name) }
                if !isReplaced { body(field) }
            }
            for field in mutation.add where !field.isFraming {
                if !mutation.removes(field.name), !later.contains(where: { $0.drops(field.name) }) { body(field) }
            }
        }
    }
}

extension HeaderMutation.Field {
    fileprivate var isFraming: Bool { name.withBytes { FieldKind($0).isFraming } }
}

extension HeaderMutation {
    @inline(__always)
    fileprivate func drops(_ name: UnsafeRawBufferPointer) -> Bool {
        for field in self.set where field.name.utf8.count == name.count {
            if field.name.withBytes({ $0.equalsIgnoringASCIICase(name) }) { return true }
        }
        for removed in remove where removed.utf8.count == name.count {
            if removed.withBytes({ $0.equalsIgnoringASCIICase(name) }) { return true }
        }
        return false
    }

    fileprivate func drops(_ name: String) -> Bool {
        name.withBytes { drops($0) }
    }

    fileprivate func removes(_ name: String) -> Bool {
        remove.contains { $0.equalsIgnoringASCIICase(name) }
    }
}
