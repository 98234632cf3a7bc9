/// An HTTP/1.x response, taken from bytes by a reader that is independent of the code under test.
package struct RawResponse: Sendable {
    /// The status line.
    package let statusLine: String
    /// The fields in order, names in lower case.
    package let fields: [(name: String, value: String)]
    /// The body without its framing.
    package let body: String
    /// Whether the message has the end that its framing announced.
    package let isWhole: Bool

    /// The status code; 0 when the status line has none.
    package var status: Int {
        let parts = statusLine.split(separator: " ")
        return parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    }

    /// The first value of the field called `name`; `nil` when there is none.
    package func first(_ name: String) -> String? {
        fields.first { $0.name == name }?.value
    }

    /// Takes the first response off `bytes`.
    ///
    /// - Parameters:
    ///   - bytes: what a connection received.
    ///   - isHead: whether it answers a HEAD.
    ///   - isEnd: whether the connection is over, so that a response may end with it.
    /// - Returns: the response and its length in bytes; `nil` when more bytes must come.
    package static func take(
        from bytes: ArraySlice<UInt8>,
        isHead: Bool = false,
        isEnd: Bool
    ) -> (response: RawResponse, length: Int)? {
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
        let fields = fields(of: head)
        let line = String(head.prefix { $0 != "\r\n" })
        let rest = bytes[end.upperBound...]
        let headLength = end.upperBound - bytes.startIndex
        func response(_ body: some Collection<UInt8>, isWhole: Bool, length: Int) -> (RawResponse, Int) {
            let text = String(decoding: body, as: UTF8.self)
            return (RawResponse(statusLine: line, fields: fields, body: text, isWhole: isWhole), headLength + length)
        }
        let status = RawResponse(statusLine: line, fields: [], body: "", isWhole: true).status
        if isHead || status < 200 || status == 204 || status == 304 { return response([], isWhole: true, length: 0) }
        if fields.contains(where: { $0.name == "transfer-encoding" && $0.value == "chunked" }) {
            let (body, length) = chunks(rest)
            guard let length else { return isEnd ? response(body, isWhole: false, length: rest.count) : nil }
            return response(body, isWhole: true, length: length)
        }
        if let announced = fields.first(where: { $0.name == "content-length" }).flatMap({ Int($0.value) }) {
            if rest.count >= announced { return response(rest.prefix(announced), isWhole: true, length: announced) }
            return isEnd ? response(rest, isWhole: false, length: rest.count) : nil
        }
        return isEnd ? response(rest, isWhole: true, length: rest.count) : nil
    }

    /// The fields of a head, names in lower case.
    static func fields(of head: String) -> [(name: String, value: String)] {
        head.split(separator: "\r\n").dropFirst().map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count > 1 ? parts[1].drop { $0 == " " } : ""
            return (parts[0].lowercased(), String(value))
        }
    }

    /// The body in chunks, and the length of its framing; no length when the last chunk is missing.
    private static func chunks(_ bytes: ArraySlice<UInt8>) -> (body: [UInt8], length: Int?) {
        var body: [UInt8] = []
        var rest = bytes
        while let end = rest.firstRange(of: [0x0D, 0x0A]) {
            guard let size = Int(String(decoding: rest[..<end.lowerBound], as: UTF8.self), radix: 16), size >= 0 else {
                return (body, nil)
            }
            let content = rest[end.upperBound...]
            if size == 0 {
                // Trailers, if any, end with an empty line as the head does.
                guard let last = rest[end.lowerBound...].firstRange(of: Array("\r\n\r\n".utf8)) else {
                    return (body, nil)
                }
                return (body, last.upperBound - bytes.startIndex)
            }
            body += content.prefix(size)
            guard content.count >= size + 2 else { return (body, nil) }
            rest = content.dropFirst(size + 2)
        }
        return (body, nil)
    }
}
