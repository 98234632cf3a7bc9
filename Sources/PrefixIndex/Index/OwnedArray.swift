/// An array of values that cannot be copied; it only grows.
struct OwnedArray<Element: ~Copyable>: ~Copyable {
    private(set) var count = 0
    private var capacity = 0
    private var base: UnsafeMutablePointer<Element>?

    deinit {
        guard let base else { return }
        base.deinitialize(count: count)
        base.deallocate()
    }

    /// The bytes of heap that are reserved, without those that the elements reserve themselves.
    var bytesUsed: Int { capacity * MemoryLayout<Element>.stride }

    /// Where an element lies until the array grows. Only who may change the array may write there.
    subscript(index: Int) -> UnsafeMutablePointer<Element> {
        guard let base, index >= 0, index < count else { preconditionFailure("element \(index) of \(count)") }
        return base + index
    }

    mutating func append(_ element: consuming Element) {
        if count == capacity { grow() }
        guard let base else { preconditionFailure("an array that has grown has memory") }
        (base + count).initialize(to: element)
        count += 1
    }

    private mutating func grow() {
        capacity = max(8, capacity * 2)
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        if let base {
            larger.moveInitialize(from: base, count: count)
            base.deallocate()
        }
        base = larger
    }
}

// Sendable although it holds a pointer: nobody else knows the memory, which goes where its only owner goes.
extension OwnedArray: @unchecked Sendable where Element: Sendable & ~Copyable {}
