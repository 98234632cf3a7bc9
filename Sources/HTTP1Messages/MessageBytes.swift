import GatewayCore
package import NIOCore

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The bytes that matter to the grammar of HTTP/1.1.
@usableFromInline
package enum ASCII {
    /// A horizontal tab.
    @inlinable package static var tab: UInt8 { 0x09 }
    /// The end of a line.
    @inlinable package static var lineFeed: UInt8 { 0x0A }
    /// What stands before the end of a line.
    @inlinable package static var carriageReturn: UInt8 { 0x0D }
    /// A space.
    @inlinable package static var space: UInt8 { 0x20 }
    /// What stands between the members of a list.
    @inlinable package static var comma: UInt8 { 0x2C }
    /// What stands behind the name of a field.
    @inlinable package static var colon: UInt8 { 0x3A }
    /// What stands before a parameter.
    @inlinable package static var semicolon: UInt8 { 0x3B }
    /// The last control character.
    @inlinable package static var delete: UInt8 { 0x7F }
}

extension UInt8 {
    /// Whether the byte may stand in a method or a field's name (RFC 9110, 5.6.2): letters, digits, and
    /// ``!#$%&'*+-.^_`|~``.
    @inlinable @inline(__always)
    package var isTokenByte: Bool {
        let mask: UInt64 = self < 64 ? 0x03FF_6CFA_0000_0000 : 0x57FF_FFFF_C7FF_FFFE
        return self < 128 && mask &>> UInt64(self & 63) & 1 != 0
    }

    /// Whether the byte is a control character other than the tab, which no field's value may have (RFC 9110, 5.5).
    @inlinable @inline(__always)
    package var isForbiddenInValue: Bool { self < 0x20 && self != ASCII.tab || self == ASCII.delete }

    /// The value of a hexadecimal digit; `nil` for any other byte.
    @inlinable @inline(__always)
    package var hexadecimalValue: Int? {
        switch self {
        case 0x30...0x39: Int(self - 0x30)
        case 0x41...0x46: Int(self - 0x37)
        case 0x61...0x66: Int(self - 0x57)
        default: nil
        }
    }
}

extension UnsafeRawBufferPointer {
    /// The first line feed at `start` or behind it; `nil` when there is none.
    @inline(__always)
    func lineFeed(from start: Int) -> Int? {
        guard let baseAddress, start < count else { return nil }
        guard let found = memchr(baseAddress + start, Int32(ASCII.lineFeed), count - start) else { return nil }
        return UnsafeRawPointer(found) - baseAddress
    }

    /// Whether one of the bytes in `range` must not stand in a field's value. Eight bytes at a time: nearly all values
    /// have none.
    @inlinable @inline(__always)
    package func hasForbiddenInValue(_ range: Range<Int>) -> Bool {
        var position = range.lowerBound
        while position &+ 8 <= range.upperBound {
            let word = loadUnaligned(fromByteOffset: position, as: UInt64.self)
            // A byte below 0x20, or one that is 0x7F, leaves its highest bit (Hacker's Delight, 6-1); a byte behind
            // such a one may too, so a mark is looked at again.
            let below = (word &- 0x2020_2020_2020_2020) & ~word
            let other = word ^ 0x7F7F_7F7F_7F7F_7F7F
            let delete = (other &- 0x0101_0101_0101_0101) & ~other
            if (below | delete) & 0x8080_8080_8080_8080 != 0 {
                for offset in position..<position &+ 8 where self[offset].isForbiddenInValue { return true }
            }
            position &+= 8
        }
        while position < range.upperBound {
            if self[position].isForbiddenInValue { return true }
            position &+= 1
        }
        return false
    }

    /// `range` without spaces and tabs at its ends.
    @inlinable @inline(__always)
    package func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start] == ASCII.space || self[start] == ASCII.tab { start &+= 1 }
        while end > start, self[end &- 1] == ASCII.space || self[end &- 1] == ASCII.tab { end &-= 1 }
        return start..<end
    }

    /// The bytes in `range`.
    @inlinable @inline(__always)
    package func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: self[range])
    }

    /// Whether the bytes in `range` equal `lowercased`, ignoring ASCII case.
    package func matches(_ range: Range<Int>, _ lowercased: StaticString) -> Bool {
        slice(range).equalsIgnoringASCIICase(lowercased)
    }

    /// The bytes in `range` as a text; what is not UTF-8 is replaced.
    package func text(_ range: Range<Int>) -> String {
        String(decoding: slice(range), as: UTF8.self)
    }

    /// Calls `body` with each member of a comma-separated list (RFC 9110, 5.6.1), without the white space around it;
    /// empty members are passed over.
    @inlinable @inline(__always)
    package func forEachListMember(_ range: Range<Int>, _ body: (Range<Int>) -> Void) {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start
            while end < range.upperBound, self[end] != ASCII.comma { end &+= 1 }
            let member = trimmed(start..<end)
            if !member.isEmpty { body(member) }
            start = end &+ 1
        }
    }

    /// The value of decimal digits; `nil` for anything else and for numbers above `Int.max`.
    package func decimal(_ range: Range<Int>) -> Int? {
        if range.isEmpty { return nil }
        var value = 0
        for position in range {
            let digit = self[position] &- 0x30
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(Int(digit))
            guard digit < 10, !overflow, !carry else { return nil }
            value = sum
        }
        return value
    }
}

extension ByteBuffer {
    /// Puts bytes that were received behind those that wait; without any, they are kept as they are.
    package mutating func takeBehind(_ bytes: ByteBuffer) {
        if readableBytes == 0 { self = bytes } else { writeImmutableBuffer(bytes) }
    }
}
