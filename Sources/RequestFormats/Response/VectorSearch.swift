/// Searches for what is rare in a body, 16 bytes at a time: a response is searched once for each of its events, an
/// upload for the ends of its parts, and nearly all of either is not what is looked for.
extension RawSpan {
    private typealias Vector = SIMD16<UInt8>
    private static var vectorLength: Int { 16 }

    /// The offset of the first carriage return or line feed at or behind `start`; `nil` when there is none.
    func firstLineEnd(from start: Int) -> Int? {
        let (returns, feeds) = (Vector(repeating: 0x0D), Vector(repeating: 0x0A))
        var offset = start
        // The last vector overlaps the one before: what is left is never looked at byte by byte.
        let last = byteCount &- Self.vectorLength
        if start <= last {
            while true {
                let bytes = vector(at: offset)
                if Self.isAnySet(Self.matches(bytes, returns) | Self.matches(bytes, feeds)) { break }
                if offset == last { return nil }
                offset = min(offset &+ Self.vectorLength, last)
            }
        }
        while offset < byteCount {
            let byte = byte(at: offset)
            if byte == 0x0A || byte == 0x0D { return offset }
            offset &+= 1
        }
        return nil
    }

    /// The offset of the first occurrence of `needle`, an ASCII text of five or more bytes, at or behind `start`; `nil`
    /// when there is none.
    ///
    /// Vectors are filtered by the needle's second byte and its third from the end, so those should be a rare pair at
    /// that distance. Quotes are no good filter: JSON is full of them.
    package func first(_ needle: StaticString, from start: Int = 0) -> Int? {
        let length = needle.utf8CodeUnitCount
        let late = length &- 3
        let (second, third) = (
            Vector(repeating: needle.utf8Start[1]), Vector(repeating: needle.utf8Start[late])
        )
        var offset = start
        let last = byteCount &- late &- Self.vectorLength
        if start <= last {
            while true {
                let hits =
                    Self.matches(vector(at: offset &+ 1), second) & Self.matches(vector(at: offset &+ late), third)
                if Self.isAnySet(hits) {
                    for place in offset..<offset &+ Self.vectorLength where matches(needle, at: place) { return place }
                }
                if offset == last { break }
                offset = min(offset &+ Self.vectorLength, last)
            }
            // Behind the last vector fewer bytes are left than the needle has.
            return nil
        }
        while offset &+ length <= byteCount {
            if matches(needle, at: offset) { return offset }
            offset &+= 1
        }
        return nil
    }

    /// The offset of the first occurrence of `delimiter` at or behind `start`; `nil` when there is none. It must begin
    /// with CRLF and have no further carriage return: so no comparison reads what another one has read, and the time is
    /// linear in the bytes whatever they are.
    func first(delimiter: [UInt8], from start: Int) -> Int? {
        let (returns, feeds) = (Vector(repeating: 0x0D), Vector(repeating: 0x0A))
        let delimiter = delimiter.span
        func isDelimiter(at offset: Int) -> Bool {
            guard delimiter.count <= byteCount &- offset else { return false }
            for index in 0..<delimiter.count where byte(at: offset &+ index) != delimiter[index] { return false }
            return true
        }
        var offset = start
        // Both vectors of a step lie within the bytes.
        let last = byteCount &- Self.vectorLength &- 1
        while offset <= last {
            if Self.isAnySet(Self.matches(vector(at: offset), returns) & Self.matches(vector(at: offset &+ 1), feeds)) {
                for place in offset..<offset &+ Self.vectorLength where isDelimiter(at: place) { return place }
            }
            offset &+= Self.vectorLength
        }
        while offset < byteCount {
            if isDelimiter(at: offset) { return offset }
            offset &+= 1
        }
        return nil
    }

    /// The 16 bytes from `offset` on. Not checked: the caller knows that they lie within the span.
    @inline(__always)
    private func vector(at offset: Int) -> Vector {
        unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Vector.self)
    }

    /// All bits set in each byte where the two are equal. As bytes and not as a mask, because the operators of
    /// `SIMDMask` are compiled lane by lane.
    @inline(__always)
    private static func matches(_ left: Vector, _ right: Vector) -> Vector {
        unsafeBitCast(left .== right, to: Vector.self)
    }

    @inline(__always)
    private static func isAnySet(_ vector: Vector) -> Bool {
        let halves = unsafeBitCast(vector, to: SIMD2<UInt64>.self)
        return halves[0] | halves[1] != 0
    }
}
