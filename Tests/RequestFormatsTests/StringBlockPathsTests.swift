import Testing

@testable import RequestFormats

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The two ways over the inside of a string, of which a program takes only one: each by itself against a plain model.
@Suite struct StringBlockPathsTests {
    @Test func `both paths stop where they may, at every offset and length, and read nothing outside`() throws {
        var generator = SeededGenerator(seed: 5)
        let pool = Self.randomBytes(&generator)
        let pages = try GuardedPages()
        var (long, cut) = (0, 0)
        for length in 0...400 {
            for offset in 0..<64 {
                let bytes = Self.content(of: length, behind: offset, from: pool, &generator)
                // Up to the border behind the readable page, and from the one in front of it on.
                for text in [pages.atEnd(bytes), pages.atStart(Array(bytes[offset...]))] {
                    let start = text.count - length
                    for path in StringBlockPath.available {
                        if let fault = path.fault(in: text.bytes, from: start) {
                            Issue.record("\(path): \(fault), from \(start): \(Array(text))")
                        }
                    }
                    let model = StringModel(of: text.bytes, from: start)
                    if model.end - start >= 64 { long += 1 }
                    if model.end < text.count { cut += 1 }
                }
            }
        }
        #expect(long > 5_000 && cut > 10_000)
    }

    /// `offset` bytes, the last of them a quote, and `length` bytes of a string, in half of all cases damaged.
    private static func content(
        of length: Int,
        behind offset: Int,
        from pool: [UInt8],
        _ generator: inout SeededGenerator
    ) -> [UInt8] {
        let first = Int.random(in: 0..<pool.count - offset - length, using: &generator)
        var bytes = Array(pool[first..<first + offset + length])
        if offset > 0 { bytes[offset - 1] = 0x22 }
        if length > 0, Bool.random(using: &generator) {
            let hostile: [UInt8] = [0x22, 0x5C, 0x75, 0x0A, 0x1F, 0x80, 0xC0, 0xE0, 0xED, 0xF0, 0xF4, 0xFF]
            let place = offset + Int.random(in: 0..<length, using: &generator)
            bytes[place] = hostile[Int.random(in: 0..<hostile.count, using: &generator)]
        }
        return bytes
    }

    /// Sections of a few kinds of text each, which end with something that ends a string or must not stand in one.
    private static func randomBytes(_ generator: inout SeededGenerator) -> [UInt8] {
        let texts = [
            "a", "plain words of a prompt ", "\\n", "\\\"", "\\\\", "\\u00e9", "\\uD83d\\uDE00", "\\/", "é", "日本", "😀",
            "sixty-four bytes without anything that would need another look. ",
        ].map { Array($0.utf8) }
        let faults: [[UInt8]] = [
            [0x22], [0x5C], [0x5C, 0x78], [0x5C, 0x75, 0x30, 0x67], [0x0A], [0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80],
            [0xE3, 0x81], [0xED, 0xA0, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xF0, 0x9F, 0x98], [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80],
        ]
        var bytes: [UInt8] = []
        for _ in 0..<200 {
            let count = Int.random(in: 1...5, using: &generator)
            let kinds = (0..<count).map { _ in texts.randomElement(using: &generator)! }
            for _ in 0..<60 { bytes += kinds.randomElement(using: &generator)! }
            bytes += faults.randomElement(using: &generator)!
        }
        return bytes
    }
}

/// One of the two ways.
enum StringBlockPath {
    case inSwift, inC

    /// Those that this processor can go.
    static var available: [StringBlockPath] { hasStringScan ? [.inSwift, .inC] : [.inSwift] }

    /// What is wrong with the place where this path ends; `nil` when nothing is.
    func fault(in bytes: RawSpan, from start: Int) -> String? {
        var hasEscapes = false
        let end =
            switch self {
            case .inSwift: bytes.endOfStringBlocksInSwift(from: start, hasEscapes: &hasEscapes)
            case .inC: bytes.endOfStringBlocksInC(from: start, hasEscapes: &hasEscapes)
            }
        let model = StringModel(of: bytes, from: start)
        guard let passedEscape = model.boundaries[end] else { return "ends at \(end), which is no boundary" }
        // A backslash at the end itself may have been counted.
        let isAtEscape = end < bytes.byteCount && bytes.byte(at: end) == 0x5C
        guard hasEscapes == passedEscape || hasEscapes && isAtEscape else { return "escapes passed: \(hasEscapes)" }
        // Only the path in C promises to go on over everything that is valid. It ends in front of the block that has
        // the reason, which five bytes of an escape may stand in front of.
        if self == .inC, min(bytes.byteCount, model.end) - end >= 64 + 5 { return "ends at \(end) without a reason" }
        return nil
    }
}

/// A string's content read byte by byte (RFC 8259, section 7, and table 3-7 of the Unicode standard).
private struct StringModel {
    /// The places between characters and escapes, and whether an escape stands in front of each.
    private(set) var boundaries: [Int: Bool] = [:]
    /// The place of the closing quote, of a fault or of something cut by the end of the bytes.
    private(set) var end: Int

    init(of bytes: RawSpan, from start: Int) {
        end = start
        var hasEscapes = false
        boundaries[end] = false
        while end < bytes.byteCount, let length = Self.length(in: bytes, at: end) {
            if bytes.byte(at: end) == 0x5C { hasEscapes = true }
            end += length
            boundaries[end] = hasEscapes
        }
    }

    private static func length(in bytes: RawSpan, at offset: Int) -> Int? {
        func has(_ ranges: ClosedRange<UInt8>...) -> Bool {
            guard offset + ranges.count < bytes.byteCount else { return false }
            for (index, range) in ranges.enumerated() where !range.contains(bytes.byte(at: offset + 1 + index)) {
                return false
            }
            return true
        }
        switch bytes.byte(at: offset) {
        case 0x5C:
            guard offset + 1 < bytes.byteCount else { return nil }
            let letter = bytes.byte(at: offset + 1)
            if letter != UInt8(ascii: "u") { return "\"\\/bfnrt".utf8.contains(letter) ? 2 : nil }
            return JSONText.codeUnit(in: bytes, at: offset + 2) == nil ? nil : 6
        case 0x00..<0x20, 0x22: return nil
        case 0x20..<0x80: return 1
        case 0xC2...0xDF: return has(0x80...0xBF) ? 2 : nil
        case 0xE0: return has(0xA0...0xBF, 0x80...0xBF) ? 3 : nil
        case 0xED: return has(0x80...0x9F, 0x80...0xBF) ? 3 : nil
        case 0xE1...0xEF: return has(0x80...0xBF, 0x80...0xBF) ? 3 : nil
        case 0xF0: return has(0x90...0xBF, 0x80...0xBF, 0x80...0xBF) ? 4 : nil
        case 0xF1...0xF3: return has(0x80...0xBF, 0x80...0xBF, 0x80...0xBF) ? 4 : nil
        case 0xF4: return has(0x80...0x8F, 0x80...0xBF, 0x80...0xBF) ? 4 : nil
        default: return nil
        }
    }
}

/// A page between two that nobody may read: a byte too many, on either side, ends the process.
private final class GuardedPages {
    private let size: Int
    private let mapping: UnsafeMutableRawPointer

    init() throws {
        size = Int(getpagesize())
        let memory = mmap(nil, size * 3, PROT_NONE, MAP_PRIVATE | MAP_ANON, -1, 0)
        mapping = try #require(memory != MAP_FAILED ? memory : nil)
        try #require(mprotect(mapping + size, size, PROT_READ | PROT_WRITE) == 0)
    }

    deinit {
        munmap(mapping, size * 3)
    }

    func atEnd(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        placed(bytes, at: size * 2 - bytes.count)
    }

    func atStart(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
        placed(bytes, at: size)
    }

    private func placed(_ bytes: [UInt8], at offset: Int) -> UnsafeRawBufferPointer {
        let place = UnsafeMutableRawBufferPointer(start: mapping + offset, count: bytes.count)
        place.copyBytes(from: bytes)
        return UnsafeRawBufferPointer(place)
    }
}
