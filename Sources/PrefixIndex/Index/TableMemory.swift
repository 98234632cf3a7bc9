/// A fixed number of cells of heap that belong to one table.
///
/// A probe looks at several cells of several tables. An array asks at each whether anybody shares it and whether the
/// index is inside, which took longer than the work; here a table is never shared, and a debug build checks indices.
struct TableMemory<Cell: BitwiseCopyable>: ~Copyable {
    /// The number of cells.
    let count: Int
    private let base: UnsafeMutablePointer<Cell>

    /// - Parameters:
    ///   - count: how many cells, at least 1.
    ///   - value: what each holds at first.
    init(count: Int, repeating value: Cell) {
        precondition(count > 0, "a table of \(count) cells")
        self.count = count
        base = .allocate(capacity: count)
        base.initialize(repeating: value, count: count)
    }

    deinit {
        base.deallocate()
    }

    /// The bytes of heap.
    var bytesUsed: Int { count * MemoryLayout<Cell>.stride }

    subscript(index: Int) -> Cell {
        get {
            assert(index >= 0 && index < count, "cell \(index) of \(count)")
            return base[index]
        }
        set {
            assert(index >= 0 && index < count, "cell \(index) of \(count)")
            base[index] = newValue
        }
    }
}

// Sendable although it holds a pointer: nobody else knows the memory, which goes where its only owner goes.
extension TableMemory: @unchecked Sendable where Cell: Sendable {}
