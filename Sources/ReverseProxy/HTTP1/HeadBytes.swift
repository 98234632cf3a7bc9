import GatewayCore
import NIOCore

/// Writes the head of a message, or the framing of its body, into a buffer, piece by piece, without looking at the
/// buffer again for each piece.
struct HeadBytes {
    private let target: UnsafeMutableRawBufferPointer
    /// The bytes so far.
    private(set) var count = 0

    private init(_ target: UnsafeMutableRawBufferPointer) {
        self.target = target
    }

    /// Appends what `body` writes to `buffer`.
    ///
    /// - Parameter bytesMax: the most bytes that `body` writes; writing more is a mistake of the program and stops it.
    static func write(
        to buffer: inout ByteBuffer,
        bytesMax: Int,
        _ body: (inout HeadBytes) -> Void
    ) {
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: bytesMax) { target in
            var head = HeadBytes(target)
            body(&head)
            return head.count
        }
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count <= target.count - count, "a head is longer than it was counted to be")
        guard let source = bytes.baseAddress, let start = target.baseAddress else { return }
        (start + count).copyMemory(from: source, byteCount: bytes.count)
        count &+= bytes.count
    }

    @inline(__always)
    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) {
        text.withBytes { append($0) }
    }

    /// Appends decimal digits of a number that is not negative.
    mutating func append(_ number: Int) {
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
            var start = digits.count
            var rest = number
            repeat {
                start -= 1
                digits[start] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            append(UnsafeRawBufferPointer(rebasing: digits[start...]))
        }
    }

    /// Appends the hexadecimal digits of a number that is not negative.
    mutating func appendHexadecimal(_ number: Int) {
        var shift = max(0, (Int.bitWidth - 1 - number.leadingZeroBitCount) / 4 * 4)
        precondition(shift / 4 < target.count - count, "a head is longer than it was counted to be")
        while shift >= 0 {
            let digit = UInt8(truncatingIfNeeded: number &>> shift) & 0xF
            target[count] = digit < 10 ? digit + 0x30 : digit + 0x57
            count &+= 1
            shift -= 4
        }
    }

    /// Appends one field.
    mutating func append(name: String, value: String) {
        append(name)
        append(": ")
        append(value)
        append("\r\n")
    }
}
