/// Reads the size of a picture from the header of its file (PNG, JPEG, GIF), which is given in base64 or as a `data:`
/// address in base64. Only the bytes that are needed are decoded.
enum ImageHeader {
    /// A JPEG file has its size behind a few segments of metadata.
    private static let mostSegments = 256

    /// The size that the header says; `nil` for anything else than such a picture, such as the address of one.
    static func size(of content: RawSpan) -> PixelSize? {
        guard let start = startOfData(content) else { return nil }
        let data = Base64Bytes(start: start)
        switch data.byte(0, in: content) {
        case 0x89: return png(data, content)
        case UInt8(ascii: "G"): return gif(data, content)
        case 0xFF: return jpeg(data, content)
        default: return nil
        }
    }

    /// Where the base64 text begins: behind the comma of a `data:` address of a picture, else at once.
    private static func startOfData(_ content: RawSpan) -> Int? {
        guard content.hasText("data:", at: 0) else { return 0 }
        // A media type with its parameters is short.
        for offset in 5..<min(256, content.byteCount) where content.hasText("base64,", at: offset) {
            return content.hasText("data:image/", at: 0) ? offset + 7 : nil
        }
        return nil
    }

    /// The size in the chunk `IHDR`, which is the first (PNG, 11.2.1).
    private static func png(_ data: Base64Bytes, _ content: RawSpan) -> PixelSize? {
        let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
        for (index, byte) in signature.enumerated() where data.byte(index, in: content) != byte { return nil }
        for (index, byte) in "IHDR".utf8.enumerated() where data.byte(12 + index, in: content) != byte { return nil }
        guard let width = data.number(16, bytes: 4, in: content), let height = data.number(20, bytes: 4, in: content)
        else { return nil }
        return PixelSize(width: width, height: height)
    }

    /// The size of the logical screen (GIF89a, 18).
    private static func gif(_ data: Base64Bytes, _ content: RawSpan) -> PixelSize? {
        for (index, byte) in "GIF8".utf8.enumerated() where data.byte(index, in: content) != byte { return nil }
        guard let low = data.byte(6, in: content), let high = data.byte(7, in: content),
            let bottom = data.byte(8, in: content), let top = data.byte(9, in: content)
        else { return nil }
        return PixelSize(width: Int(high) << 8 | Int(low), height: Int(top) << 8 | Int(bottom))
    }

    /// The size in the first frame header, behind any number of other segments (ITU T.81, B.1.1 and B.2.2).
    private static func jpeg(_ data: Base64Bytes, _ content: RawSpan) -> PixelSize? {
        guard data.byte(1, in: content) == 0xD8 else { return nil }
        var offset = 2
        for _ in 0..<mostSegments {
            guard data.byte(offset, in: content) == 0xFF, let marker = data.byte(offset + 1, in: content) else {
                return nil
            }
            switch marker {
            case 0xFF:
                // A fill byte.
                offset += 1
            case 0xC0...0xC3, 0xC5...0xC7, 0xC9...0xCB, 0xCD...0xCF:
                guard let height = data.number(offset + 5, bytes: 2, in: content),
                    let width = data.number(offset + 7, bytes: 2, in: content)
                else { return nil }
                return PixelSize(width: width, height: height)
            default:
                guard let length = data.number(offset + 2, bytes: 2, in: content), length >= 2 else { return nil }
                offset += 2 + length
            }
        }
        return nil
    }
}

/// Bytes in base64 (RFC 4648, 4), of which any can be read by its number.
private struct Base64Bytes {
    /// Where the text begins.
    let start: Int

    /// The byte number `index`, from 0; `nil` behind the end and where the text is no base64.
    func byte(_ index: Int, in text: RawSpan) -> UInt8? {
        let place = start + index / 3 * 4
        switch index % 3 {
        case 0: return joined(place, place + 1, in: text) { $0 << 2 | $1 >> 4 }
        case 1: return joined(place + 1, place + 2, in: text) { $0 << 4 | $1 >> 2 }
        default: return joined(place + 2, place + 3, in: text) { $0 << 6 | $1 }
        }
    }

    /// The number that `bytes` bytes from the byte `index` on make, the most significant first.
    func number(_ index: Int, bytes: Int, in text: RawSpan) -> Int? {
        var number = 0
        for position in index..<index + bytes {
            guard let byte = byte(position, in: text) else { return nil }
            number = number << 8 | Int(byte)
        }
        return number
    }

    private func joined(_ first: Int, _ second: Int, in text: RawSpan, _ join: (UInt8, UInt8) -> UInt8) -> UInt8? {
        guard let high = digit(first, in: text), let low = digit(second, in: text) else { return nil }
        return join(high, low)
    }

    private func digit(_ offset: Int, in text: RawSpan) -> UInt8? {
        guard offset < text.byteCount else { return nil }
        return Base64.value(of: text.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
    }
}

extension RawSpan {
    /// Whether `text`, which is ASCII, stands at `offset`.
    fileprivate func hasText(_ text: StaticString, at offset: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        guard length <= byteCount - offset else { return false }
        for index in 0..<length
        where unsafeLoad(fromByteOffset: offset + index, as: UInt8.self) != text.utf8Start[index] {
            return false
        }
        return true
    }
}
