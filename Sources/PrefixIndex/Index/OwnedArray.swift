/// An array of values that cannot be copied; it only grows.
///
/// As with ``TableMemory``, a debug build checks indices.
struct OwnedArray<Element: ~Copyable>: ~Copyable {
    private(set) var count = 0
    private var capacity: Int
    private var base: UnsafeMutablePointer<Element>

    init() {
        capacity = 8
        base = .allocate(capacity: capacity)
    }

    deinit {
        base.deinitialize(count: count)
        base.deallocate()
    }

    /// The bytes of heap that are reserved, without those that the elements reserve themselves.
    var bytesUsed: Int { capacity * MemoryLayout<Element>.stride }

    /// Where an element lies until the array grows. Only who may change the array may write there.
    subscript(index: Int) -> UnsafeMutablePointer<Element> {
        assert(index >= 0 && index < count, "element \(index) of \(count)")
        return base + index
    }

    mutating func append(_ element: consuming Element) {
        if count == capacity {
            capacity *= 2
            let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
            larger.moveInitialize(from: base, count: count)
            base.deallocate()
            base = larger
        }
        (base + count).initialize(to: element)
        count += 1
    }
}

// Sendable although it holds a pointer: nobody else knows the memory, which goes where its only owner goes.
extension OwnedArray: @unchecked Sendable where Element: Sendable & ~Copyable {}
