@testable import ExtProcProto

/// Envoy's half of the codec for what the server writes: a plain reader, field by field.
extension ProcessingResponse {
    /// Reads a message without the prefix of gRPC; returns it and its body.
    static func reading(_ bytes: [UInt8]) throws(WireError) -> (ProcessingResponse, body: [UInt8]) {
        let span = bytes.span.bytes
        var reader = WireReader(.unknown, in: span, limits: .standard)
        var response = ProcessingResponse(.requestTrailers(.none))
        var body = 0..<0
        while let field = try reader.nextField(in: span) {
            let content = try reader.message(field, as: .unknown, in: span)
            switch field.number {
            case 1: response.answer = .requestHeaders(try CommonResponse(reply: content, in: span, &body))
            case 2: response.answer = .responseHeaders(try CommonResponse(reply: content, in: span, &body))
            case 3: response.answer = .requestBody(try CommonResponse(reply: content, in: span, &body))
            case 4: response.answer = .responseBody(try CommonResponse(reply: content, in: span, &body))
            case 5: response.answer = .requestTrailers(try HeaderChanges(reply: content, in: span))
            case 6: response.answer = .responseTrailers(try HeaderChanges(reply: content, in: span))
            case 7: response.answer = .immediate(try ImmediateResponse(content, in: span, &body))
            case 8: response.dynamicMetadata = try ProtobufStruct(content, in: span)
            case 9:
                let numbers = try content.numbers(count: 6, in: span)
                response.modeOverride = ProcessingMode(numbers: numbers.map { Int32(truncatingIfNeeded: $0) })
            default:
                let numbers = try content.numbers(count: 2, in: span)
                response.timeoutOverride = .seconds(numbers[0]) + .nanoseconds(numbers[1])
            }
        }
        return (response, Array(bytes[body]))
    }
}

extension CommonResponse {
    /// Reads a HeadersResponse or a BodyResponse.
    fileprivate init(reply: WireReader, in bytes: RawSpan, _ body: inout Range<Int>) throws(WireError) {
        self.init()
        var outer = reply
        guard let field = try outer.nextField(in: bytes) else { return }
        var reader = try outer.message(field, as: .unknown, in: bytes)
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1: status = try reader.enumeration(field, in: bytes) == 1 ? .continueAndReplace : .continue
            case 2: headers = try HeaderChanges(try reader.message(field, as: .unknown, in: bytes), in: bytes)
            case 3: self.body = try BodyChange(try reader.message(field, as: .unknown, in: bytes), in: bytes, &body)
            case 4:
                let fields = try HeaderFields(try reader.message(field, as: .headerMap, in: bytes), in: bytes)
                var trailers: [HeaderSetting] = []
                var cursor = fields.makeCursor()
                while let trailer = cursor.next(in: bytes) {
                    trailers.append(HeaderSetting(bytes.text(trailer.name), bytes.text(trailer.value)))
                }
                self.trailers = trailers
            default: clearsRouteCache = try reader.boolean(field, in: bytes)
            }
        }
    }
}

extension HeaderChanges {
    /// Reads a TrailersResponse.
    fileprivate init(reply: WireReader, in bytes: RawSpan) throws(WireError) {
        var outer = reply
        self.init()
        if let field = try outer.nextField(in: bytes) {
            self = try HeaderChanges(try outer.message(field, as: .unknown, in: bytes), in: bytes)
        }
    }

    /// Reads a HeaderMutation.
    fileprivate init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        self.init()
        while let field = try reader.nextField(in: bytes) {
            if field.number == 1 {
                settings.append(try HeaderSetting(try reader.message(field, as: .unknown, in: bytes), in: bytes))
            } else {
                removals.append(bytes.text(try reader.string(field, in: bytes)))
            }
        }
    }
}

extension HeaderSetting {
    /// Reads a HeaderValueOption.
    fileprivate init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        self.init("", "", action: .appendIfExistsOrAdd)
        while let field = try reader.nextField(in: bytes) {
            if field.number == 3 {
                let number = UInt8(truncatingIfNeeded: try reader.enumeration(field, in: bytes))
                action = AppendAction(rawValue: number) ?? .appendIfExistsOrAdd
                continue
            }
            var header = try reader.message(field, as: .headerValue, in: bytes)
            while let field = try header.nextField(in: bytes) {
                let text = bytes.text(try header.bytes(field, in: bytes))
                if field.number == 1 { name = text } else { value = text }
            }
        }
    }
}

extension BodyChange {
    /// Reads a BodyMutation.
    fileprivate init(_ reader: WireReader, in bytes: RawSpan, _ body: inout Range<Int>) throws(WireError) {
        var reader = reader
        self = .cleared
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1:
                body = try reader.bytes(field, in: bytes)
                self = .replaced(byteCount: body.count)
            case 2:
                _ = try reader.boolean(field, in: bytes)
            default:
                let part = try BodyPart(try reader.message(field, as: .httpBody, in: bytes), in: bytes)
                body = part.body
                let piece = StreamedPiece(
                    byteCount: body.count,
                    isEndOfStream: part.isEndOfStream,
                    isEndOfStreamWithoutMessage: part.isEndOfStreamWithoutMessage,
                    isCompressedGRPCMessage: part.isCompressedGRPCMessage
                )
                self = .streamed(piece)
            }
        }
    }
}

extension ImmediateResponse {
    fileprivate init(_ reader: WireReader, in bytes: RawSpan, _ body: inout Range<Int>) throws(WireError) {
        var reader = reader
        self.init(status: 0)
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1:
                let status = try reader.message(field, as: .unknown, in: bytes)
                self.status = UInt16(truncatingIfNeeded: try status.numbers(count: 1, in: bytes)[0])
            case 2: headers = try HeaderChanges(try reader.message(field, as: .unknown, in: bytes), in: bytes)
            case 3:
                body = try reader.bytes(field, in: bytes)
                bodyByteCount = body.count
            case 4:
                let status = try reader.message(field, as: .unknown, in: bytes)
                grpcStatus = UInt32(truncatingIfNeeded: try status.numbers(count: 1, in: bytes)[0])
            default: details = bytes.text(try reader.string(field, in: bytes))
            }
        }
    }
}

extension WireReader {
    /// The varints in fields 1 to `count`, 0 for those that are absent. Their low 32 bits are enough for the tests.
    fileprivate func numbers(count: Int, in bytes: RawSpan) throws(WireError) -> [Int64] {
        var reader = self
        var numbers = [Int64](repeating: 0, count: count)
        while let field = try reader.nextField(in: bytes) {
            numbers[Int(field.number) - 1] = Int64(try reader.enumeration(field, in: bytes))
        }
        return numbers
    }
}
