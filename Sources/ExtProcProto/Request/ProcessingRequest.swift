/// A message from Envoy: envoy.service.ext_proc.v3.ProcessingRequest.
///
/// Reading checks the whole message and copies nothing: header fields, body and metadata are ranges of the message's
/// bytes, which the caller keeps and hands in again where a range is looked into. Fields that are not named here are
/// passed over, as protobuf demands. Stricter than protobuf in two points, because no encoder writes such messages and
/// whoever stands behind us may read them otherwise: a field of a known number must have its wire type, and no
/// message field may come twice where the schema has one.
package struct ProcessingRequest: Hashable, Sendable {
    /// What Envoy tells: one part of an HTTP exchange (the oneof `request`).
    package enum Part: Hashable, Sendable {
        /// Field 2.
        case requestHeaders(HeadersPart)
        /// Field 3.
        case responseHeaders(HeadersPart)
        /// Field 4.
        case requestBody(BodyPart)
        /// Field 5.
        case responseBody(BodyPart)
        /// Field 6.
        case requestTrailers(HeaderFields)
        /// Field 7.
        case responseTrailers(HeaderFields)
    }

    /// The part; `nil` when there is none, or one that the schema did not have when this was written.
    package private(set) var part: Part?
    /// The structs of `metadata_context.filter_metadata` (field 8), by namespace. Typed metadata is passed over.
    package private(set) var metadata = StructMap.none
    /// The structs of `attributes` (field 9), by the name of the filter.
    package private(set) var attributes = StructMap.none
    /// Whether Envoy only shows the message and takes no answer to it (field 10, `observability_mode`).
    package private(set) var isObservationOnly = false
    /// The filter's set-up (field 11); on the first message of a stream.
    package private(set) var protocolConfiguration: ProtocolConfiguration?

    /// Reads a message.
    /// - Parameter bytes: the message, without the prefix of gRPC.
    package init(reading bytes: RawSpan, limits: WireLimits = .standard) throws(WireError) {
        var reader = WireReader(.processingRequest, in: bytes, limits: limits)
        var values = ValueBudget(limits)
        var hasMetadata = false
        var attributes = StructMap.Run(field: 9)
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 2...7:
                guard part == nil else { throw reader.error(.duplicateField, field) }
                part = try Self.part(field, &reader, in: bytes)
            case 8:
                guard !hasMetadata else { throw reader.error(.duplicateField, field) }
                hasMetadata = true
                let metadata = try reader.message(field, as: .metadata, in: bytes)
                self.metadata = try StructMap(metadata, field: 1, in: bytes, &values)
            case 9:
                let entry = try reader.message(field, as: .mapEntry, in: bytes)
                try StructMap.checkEntry(entry, in: bytes, &values)
                attributes.add(from: field.offset, to: reader.offset)
            case 10:
                isObservationOnly = try reader.boolean(field, in: bytes)
            case 11:
                guard protocolConfiguration == nil else { throw reader.error(.duplicateField, field) }
                let configuration = try reader.message(field, as: .protocolConfiguration, in: bytes)
                protocolConfiguration = try ProtocolConfiguration(configuration, in: bytes)
            default:
                try reader.skip(field, in: bytes)
            }
        }
        self.attributes = StructMap(attributes)
    }

    @inline(__always)
    private static func part(
        _ field: WireField,
        _ reader: inout WireReader,
        in bytes: RawSpan
    ) throws(WireError) -> Part {
        switch field.number {
        case 2, 3:
            let headers = try HeadersPart(try reader.message(field, as: .httpHeaders, in: bytes), in: bytes)
            return field.number == 2 ? .requestHeaders(headers) : .responseHeaders(headers)
        case 4, 5:
            let body = try BodyPart(try reader.message(field, as: .httpBody, in: bytes), in: bytes)
            return field.number == 4 ? .requestBody(body) : .responseBody(body)
        default:
            let trailers = try HeaderFields(
                trailers: try reader.message(field, as: .httpTrailers, in: bytes),
                in: bytes
            )
            return field.number == 6 ? .requestTrailers(trailers) : .responseTrailers(trailers)
        }
    }
}

/// The headers of a request or a response (HttpHeaders).
package struct HeadersPart: Hashable, Sendable {
    /// The header fields, pseudo-headers such as `:path` and `:status` among them (field 1).
    package private(set) var fields = HeaderFields.none
    /// Whether neither a body nor trailers follow (field 3).
    package private(set) var isEndOfStream = false

    init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        var hasFields = false
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1:
                guard !hasFields else { throw reader.error(.duplicateField, field) }
                hasFields = true
                fields = try HeaderFields(try reader.message(field, as: .headerMap, in: bytes), in: bytes)
            case 3:
                isEndOfStream = try reader.boolean(field, in: bytes)
            default:
                try reader.skip(field, in: bytes)
            }
        }
    }
}

/// A piece of a body (HttpBody). An empty piece is not the end: only the flags say that.
package struct BodyPart: Hashable, Sendable {
    /// Where the piece's bytes stand (field 1). Envoy sends up to 1 MiB.
    package private(set) var body: Range<Int>
    /// Whether it is the last piece and no trailers follow (field 2).
    package private(set) var isEndOfStream = false
    /// Whether the stream ended without a further gRPC message; in the mode `grpc` only (field 3).
    package private(set) var isEndOfStreamWithoutMessage = false
    /// Whether the piece is a compressed gRPC message; in the mode `grpc` only (field 4).
    package private(set) var isCompressedGRPCMessage = false

    init(_ reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        body = reader.offset..<reader.offset
        while let field = try reader.nextField(in: bytes) {
            switch field.number {
            case 1: body = try reader.bytes(field, in: bytes)
            case 2: isEndOfStream = try reader.boolean(field, in: bytes)
            case 3: isEndOfStreamWithoutMessage = try reader.boolean(field, in: bytes)
            case 4: isCompressedGRPCMessage = try reader.boolean(field, in: bytes)
            default: try reader.skip(field, in: bytes)
            }
        }
    }
}

extension HeaderFields {
    /// Reads an HttpTrailers.
    fileprivate init(trailers reader: WireReader, in bytes: RawSpan) throws(WireError) {
        var reader = reader
        var fields: HeaderFields?
        while let field = try reader.nextField(in: bytes) {
            guard field.number == 1 else {
                try reader.skip(field, in: bytes)
                continue
            }
            guard fields == nil else { throw reader.error(.duplicateField, field) }
            fields = try HeaderFields(try reader.message(field, as: .headerMap, in: bytes), in: bytes)
        }
        self = fields ?? .none
    }
}
