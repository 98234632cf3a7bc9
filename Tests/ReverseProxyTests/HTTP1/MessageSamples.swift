import GatewayCore
import HTTP1Messages
import NIOCore
import NIOEmbedded
import NIOHTTP1

@testable import ReverseProxy

/// A message as some reader understood it: what two readers must agree on.
struct ReadMessage: Equatable, CustomStringConvertible {
    /// The request line or status line, without the reason phrase.
    var start: String
    /// The fields, names in lower case.
    var fields: [String]
    var body: [UInt8] = []
    var isWhole = false

    var description: String { "\(start) \(fields) \(body.count) bytes\(isWhole ? "" : ", cut")" }
}

/// What some reader made of a stream of bytes.
struct ReadStream: Equatable {
    var messages: [ReadMessage] = []
    var isFaulty = false
}

enum Readers {
    /// Reads requests with ``RequestReader``, in pieces of the given sizes and one of the rest, until one ends the
    /// connection.
    static func requests(_ bytes: [UInt8], pieces: [Int] = [], limits: GatewayLimits = GatewayLimits()) -> ReadStream {
        var reader = RequestReader(limits: limits)
        var stream = ReadStream()
        var keepsAlive = true
        for piece in cut(bytes, pieces) {
            reader.receive(piece)
            do throws(MessageFault) {
                while keepsAlive || stream.messages.last?.isWhole == false, let event = try reader.next() {
                    switch event {
                    case .head(let head):
                        keepsAlive = head.keepsAlive
                        let start = "\(head.method) \(head.target) \(head.version)"
                        stream.messages.append(ReadMessage(start: start, fields: lowercased(head.headers.fields)))
                    case .body(let bytes): stream.append(bytes)
                    case .end: stream.end()
                    }
                }
            } catch {
                stream.isFaulty = true
                return stream
            }
        }
        return stream
    }

    /// Reads requests with llhttp, which has been tested against request smuggling for years.
    static func oracleRequests(_ bytes: [UInt8]) -> ReadStream {
        let channel = EmbeddedChannel(handler: ByteToMessageHandler(HTTPRequestDecoder()))
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        var stream = ReadStream()
        do {
            try channel.writeInbound(ByteBuffer(bytes: bytes))
        } catch {
            stream.isFaulty = true
        }
        while let part = try? channel.readInbound(as: HTTPServerRequestPart.self) {
            switch part {
            case .head(let head):
                let version = head.version == .http1_0 ? "http10" : "http11"
                let fields = oracleFields(head.headers)
                stream.messages.append(
                    ReadMessage(start: "\(head.method.rawValue) \(head.uri) \(version)", fields: fields))
            case .body(let bytes): stream.append(bytes)
            case .end: stream.end()
            }
        }
        return stream
    }

    /// Reads the responses to as many GETs as there are with ``ResponseReader``.
    static func responses(_ bytes: [UInt8], pieces: [Int] = [], isHead: Bool = false) -> ReadStream {
        var reader = ResponseReader()
        var stream = ReadStream()
        var keepsAlive = true
        reader.begin(isHead: isHead)
        for piece in cut(bytes, pieces) {
            reader.receive(piece)
            do throws(MessageFault) {
                while keepsAlive || stream.messages.last?.isWhole == false, let event = try reader.next() {
                    switch event {
                    case .head(let head):
                        keepsAlive = head.keepsAlive
                        let fields = head.bytes.withUnsafeReadableBytes { bytes in
                            head.places.map { "\(bytes.text($0.name).lowercased()): \(bytes.text($0.value))" }
                        }
                        stream.messages.append(ReadMessage(start: String(head.status), fields: fields))
                    case .body(let bytes): stream.append(bytes)
                    case .end:
                        stream.end()
                        reader.begin(isHead: isHead)
                    }
                }
            } catch {
                stream.isFaulty = true
                return stream
            }
        }
        if reader.inputEnded() { stream.end() }
        return stream
    }

    /// Reads the responses to as many GETs with llhttp.
    static func oracleResponses(_ bytes: [UInt8], requests: Int) -> ReadStream {
        let channel = EmbeddedChannel()
        defer { _ = try? channel.finish(acceptAlreadyClosed: true) }
        let pipeline = channel.pipeline.syncOperations
        var stream = ReadStream()
        do {
            try pipeline.addHandler(HTTPRequestEncoder())
            try pipeline.addHandler(ByteToMessageHandler(HTTPResponseDecoder()))
            for _ in 0..<requests {
                let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
                try channel.writeOutbound(HTTPClientRequestPart.head(head))
                try channel.writeOutbound(HTTPClientRequestPart.end(nil))
            }
            try channel.writeInbound(ByteBuffer(bytes: bytes))
            _ = try channel.finish(acceptAlreadyClosed: true)
        } catch {
            stream.isFaulty = true
        }
        while let part = try? channel.readInbound(as: HTTPClientResponsePart.self) {
            switch part {
            case .head(let head):
                let fields = oracleFields(head.headers)
                stream.messages.append(ReadMessage(start: String(head.status.code), fields: fields))
            case .body(let bytes): stream.append(bytes)
            case .end: stream.end()
            }
        }
        return stream
    }

    /// llhttp keeps white space behind a value, which is not part of it (RFC 9112, 5.1).
    private static func oracleFields(_ headers: HTTPHeaders) -> [String] {
        headers.map { name, value in
            var value = Substring(value)
            while value.last == " " || value.last == "\t" { value.removeLast() }
            return "\(name.lowercased()): \(value)"
        }
    }

    private static func lowercased(_ fields: [HeaderMap.Field]) -> [String] {
        fields.map { "\($0.name.lowercased()): \($0.value)" }
    }

    private static func cut(_ bytes: [UInt8], _ sizes: [Int]) -> [ByteBuffer] {
        var pieces: [ByteBuffer] = []
        var rest = bytes[...]
        for size in sizes where size < rest.count {
            pieces.append(ByteBuffer(bytes: rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        return pieces + [ByteBuffer(bytes: rest)]
    }
}

extension ReadStream {
    fileprivate mutating func append(_ bytes: ByteBuffer) {
        messages[messages.count - 1].body += Array(bytes.readableBytesView)
    }

    fileprivate mutating func end() {
        messages[messages.count - 1].isWhole = true
    }
}
