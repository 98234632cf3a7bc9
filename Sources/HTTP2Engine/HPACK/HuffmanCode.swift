/// HPACK's Huffman code (RFC 7541, appendix B).
enum HuffmanCode {
    /// The symbol that ends nothing: it must not stand in a string, and its first bits fill a string's last byte.
    static let endOfString = 256

    /// The number of bits of each byte's code, and of the end symbol's. The code is canonical: the lengths say it all.
    static let lengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28,
        28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7,
        8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19,
        13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
        28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21,
        22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23,
        22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
        19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25,
        25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
    ]

    /// The code of each symbol, in the low bits.
    static let codes: [UInt32] = {
        var codes = [UInt32](repeating: 0, count: lengths.count)
        var code: UInt32 = 0
        for length in 1...30 as ClosedRange<UInt8> {
            code <<= 1
            for symbol in lengths.indices where lengths[symbol] == length {
                codes[symbol] = code
                code += 1
            }
        }
        return codes
    }()

    // A step of the decoder: the next state in the low byte, a symbol in the second, and flags.
    private static let emits: UInt32 = 1 << 16
    private static let fails: UInt32 = 1 << 17
    private static let mayEnd: UInt32 = 1 << 18

    /// The decoder's steps: 16 for each of the tree's 256 inner nodes, one for each four bits of input.
    private static let steps: [UInt32] = makeSteps()

    private static func makeSteps() -> [UInt32] {
        // The children of each inner node: another one from 0, a leaf's symbol as its complement.
        var children = [(Int, Int)](repeating: (0, 0), count: 256)
        // Where the path so far is all ones and shorter than a byte, a string may end.
        var isPadding = [true] + [Bool](repeating: false, count: 255)
        var count = 1
        for symbol in lengths.indices {
            var node = 0
            for bit in (0..<Int(lengths[symbol])).reversed() {
                let isOne = codes[symbol] >> UInt32(bit) & 1 == 1
                var next = isOne ? children[node].1 : children[node].0
                if bit == 0 {
                    next = ~symbol
                } else if next == 0 {
                    next = count
                    count += 1
                    isPadding[next] = isPadding[node] && isOne && Int(lengths[symbol]) - bit <= 7
                }
                if isOne { children[node].1 = next } else { children[node].0 = next }
                node = max(next, 0)
            }
        }
        var steps: [UInt32] = []
        for state in 0..<256 {
            for nibble in 0..<16 { steps.append(step(from: state, nibble, children, isPadding)) }
        }
        return steps
    }

    private static func step(from state: Int, _ nibble: Int, _ children: [(Int, Int)], _ isPadding: [Bool]) -> UInt32 {
        var node = state
        var flags: UInt32 = 0
        for bit in (0..<4).reversed() {
            let next = nibble >> bit & 1 == 1 ? children[node].1 : children[node].0
            guard next < 0 else {
                node = next
                continue
            }
            // No code is shorter than five bits, so four bits complete one at most.
            guard ~next != endOfString else { return fails }
            flags |= emits | UInt32(~next) << 8
            node = 0
        }
        return UInt32(node) | flags | (isPadding[node] ? mayEnd : 0)
    }

    /// Appends the bytes that the code in `range` stands for. The range must lie within the bytes.
    ///
    /// - Returns: whether the code is valid. If not, what was appended means nothing.
    static func decode(_ range: Range<Int>, of bytes: RawSpan, onto output: inout [UInt8]) -> Bool {
        guard !range.isEmpty else { return true }
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: range.count &* 8 / 5 &+ 1))
        var count = start
        var step = mayEnd
        output.withUnsafeMutableBufferPointer { output in
            steps.withUnsafeBufferPointer { steps in
                for offset in range {
                    let byte = bytes.byte(at: offset)
                    var shift: UInt8 = 4
                    while true {
                        step = steps[Int(step & 0xFF) &<< 4 | Int(byte &>> shift & 0xF)]
                        if step & emits != 0 {
                            output[count] = UInt8(truncatingIfNeeded: step &>> 8)
                            count &+= 1
                        }
                        if step & fails != 0 { return }
                        if shift == 0 { break }
                        shift = 0
                    }
                }
            }
        }
        output.removeLast(output.count &- count)
        return step & fails == 0 && step & mayEnd != 0
    }
}
