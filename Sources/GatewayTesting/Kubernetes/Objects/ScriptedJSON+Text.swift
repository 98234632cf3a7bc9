import FoundationEssentials

extension ScriptedJSON {
    /// Reads a document.
    ///
    /// - Throws: what the decoder says, when the bytes are not JSON.
    package init(bytes: some Sequence<UInt8>) throws {
        self = try JSONDecoder().decode(ScriptedJSON.self, from: Data(bytes))
    }

    /// Reads a document.
    ///
    /// - Throws: what the decoder says, when the text is not JSON.
    package init(_ text: String) throws {
        try self.init(bytes: text.utf8)
    }

    /// The document, without white space, members in the order of their names.
    package var description: String { String(decoding: bytes, as: UTF8.self) }

    /// The document in UTF-8, without white space, members in the order of their names.
    package var bytes: [UInt8] {
        var output: [UInt8] = []
        write(to: &output)
        return output
    }

    /// Appends the document to `output`.
    func write(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let flag): output += (flag ? "true" : "false").utf8
        case .int(let value): output += String(value).utf8
        case .double(let value): output += (value.isFinite ? "\(value)" : "null").utf8
        case .string(let text): Self.write(text, to: &output)
        case .array(let elements):
            output.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                element.write(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            Self.write(members, to: &output)
            output.append(UInt8(ascii: "}"))
        }
    }

    /// Appends the members of an object without its braces.
    static func write(_ members: [String: ScriptedJSON], to output: inout [UInt8]) {
        for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            write(member.key, to: &output)
            output.append(UInt8(ascii: ":"))
            member.value.write(to: &output)
        }
    }

    private static func write(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        var rest = Substring(text).utf8
        // Whole stretches at once: an object of a test may be many megabytes.
        while let special = rest.firstIndex(where: { $0 < 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") }
        ) {
            output += rest[..<special]
            output += escaped(rest[special])
            rest = rest[rest.index(after: special)...]
        }
        output += rest
        output.append(UInt8(ascii: "\""))
    }

    private static func escaped(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): return [UInt8(ascii: "\\"), byte]
        case 0x0A: return Array("\\n".utf8)
        case 0x0D: return Array("\\r".utf8)
        case 0x09: return Array("\\t".utf8)
        default:
            let digits = String(byte, radix: 16)
            return Array((byte < 16 ? "\\u000" : "\\u00").utf8) + Array(digits.utf8)
        }
    }
}

extension ScriptedJSON: CustomStringConvertible, Decodable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // The most frequent first: a wrong guess costs an error that is thrown and dropped.
        if let text = try? container.decode(String.self) {
            self = .string(text)
        } else if let members = try? container.decode([String: ScriptedJSON].self) {
            self = .object(members)
        } else if let elements = try? container.decode([ScriptedJSON].self) {
            self = .array(elements)
        } else if let flag = try? container.decode(Bool.self) {
            self = .bool(flag)
        } else if let value = try? container.decode(Int64.self) {
            self = .int(value)
        } else if let value = try? container.decode(Double.self) {
            self = .double(value)
        } else if container.decodeNil() {
            self = .null
        } else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no JSON value")
        }
    }
}
