import FoundationEssentials

@testable import ExtProcProto

/// The cases that Fixtures/make-fixtures.py wrote with protobuf's own classes for Envoy's schema.
enum OracleFixtures {
    static let requests: [RequestCase] = load("requests")
    static let damagedRequests: [RequestCase] = load("damaged-requests")
    static let responses: [ResponseCase] = load("responses")
    static let health: HealthCases = load("health")

    private static func load<Content: Decodable>(_ name: String) -> Content {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        do {
            let data = try Data(contentsOf: folder.appending(path: name + ".json"))
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Content.self, from: data)
        } catch {
            fatalError("the fixture \(name) cannot be read: \(error)")
        }
    }

    /// The bytes of hexadecimal digits.
    static func bytes(_ digits: String) -> [UInt8] {
        let values = digits.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }
}

/// A ProcessingRequest: its bytes, and what the oracle reads in them.
struct RequestCase: Decodable, Sendable {
    /// The bytes in front of the body, the body's length, the bytes behind it.
    let wire: Wire
    /// `nil` when the oracle refuses the bytes.
    let request: RequestDescription?

    struct Wire: Decodable, Sendable {
        let bytes: [UInt8]

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            let front = try parts.decode(String.self)
            let count = try parts.decode(Int.self)
            let back = try parts.decode(String.self)
            bytes = OracleFixtures.bytes(front) + bodyBytes(count) + OracleFixtures.bytes(back)
        }
    }
}

/// All that is read of a ProcessingRequest, as the oracle describes it.
struct RequestDescription: Decodable, Equatable, Sendable {
    var part: String?
    var headers: [[String]]?
    var flags: [Bool]?
    var bodyLength: Int?
    var bodySum: UInt32?
    var metadata: [String: PlainValue]
    var attributes: [String: PlainValue]
    var observation: Bool
    var modes: [Int32]?
    var earlyBody: Bool?

    /// Describes what the codec reads. Structs are looked up by the names that the oracle found.
    init(_ request: ProcessingRequest, in bytes: [UInt8], namesOf expected: RequestDescription?) {
        let span = bytes.span.bytes
        func structures(_ map: StructMap, _ names: [String: PlainValue]?) -> [String: PlainValue] {
            var found: [String: PlainValue] = [:]
            for name in (names ?? [:]).keys {
                found[name] = map.structure(name, in: span).map { PlainValue(.structure($0)) }
            }
            return found
        }
        metadata = structures(request.metadata, expected?.metadata)
        attributes = structures(request.attributes, expected?.attributes)
        observation = request.isObservationOnly
        modes = request.protocolConfiguration.map { [$0.requestBodyMode.number, $0.responseBodyMode.number] }
        earlyBody = request.protocolConfiguration?.sendsBodyWithoutWaitingForHeaderResponse
        switch request.part {
        case .requestHeaders(let headers): describe("request_headers", headers, in: bytes)
        case .responseHeaders(let headers): describe("response_headers", headers, in: bytes)
        case .requestBody(let body): describe("request_body", body, in: bytes)
        case .responseBody(let body): describe("response_body", body, in: bytes)
        case .requestTrailers(let fields): describe("request_trailers", fields, flags: [], in: bytes)
        case .responseTrailers(let fields): describe("response_trailers", fields, flags: [], in: bytes)
        case nil: break
        }
    }

    private mutating func describe(_ part: String, _ headers: HeadersPart, in bytes: [UInt8]) {
        describe(part, headers.fields, flags: [headers.isEndOfStream], in: bytes)
    }

    private mutating func describe(_ part: String, _ fields: HeaderFields, flags: [Bool], in bytes: [UInt8]) {
        self.part = part
        self.flags = flags
        var headers: [[String]] = []
        fields.forEach(in: bytes.span.bytes) { field in
            let digits = bytes[field.value].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
            headers.append([String(decoding: bytes[field.name], as: UTF8.self), digits.joined()])
        }
        self.headers = headers
    }

    private mutating func describe(_ part: String, _ body: BodyPart, in bytes: [UInt8]) {
        self.part = part
        flags = [body.isEndOfStream, body.isEndOfStreamWithoutMessage, body.isCompressedGRPCMessage]
        bodyLength = body.body.count
        var sum: UInt32 = 0
        for (index, byte) in (bytes[body.body].prefix(256) + bytes[body.body].suffix(256)).enumerated() {
            sum += UInt32(index + 1) * UInt32(byte)
        }
        bodySum = sum
    }
}

/// A ProcessingResponse: a description, and the bytes that the oracle makes of it.
struct ResponseCase: Decodable, Sendable {
    /// gRPC's prefix and the message without its last `body` bytes, in hexadecimal digits.
    let head: String
    let body: Int
    let response: ResponseDescription
}

/// What the oracle was told to write.
struct ResponseDescription: Decodable, Sendable {
    struct Changes: Decodable, Sendable {
        let set: [Setting]
        let remove: [String]
    }

    struct Setting: Decodable, Sendable {
        let setting: HeaderSetting

        init(from decoder: any Decoder) throws {
            var parts = try decoder.unkeyedContainer()
            let name = try parts.decode(String.self)
            let value = try parts.decode(String.self)
            let action = try parts.decode(UInt8.self)
            setting = HeaderSetting(name, value, action: AppendAction(rawValue: action) ?? .overwriteIfExists)
        }
    }

    let answer: String
    let changes: Changes?
    let status: UInt16?
    let bodyLength: Int?
    let grpcStatus: UInt32?
    let details: String?
    let replace: Bool?
    let clearRouteCache: Bool?
    let body: String?
    let flags: [Bool]?
    let trailers: [[String]]?
    let metadata: PlainValue?
    let modeOverride: [Int32]?
    let timeout: [Int64]?
}

/// Messages of grpc.health.v1 in hexadecimal digits.
struct HealthCases: Decodable, Sendable {
    let requests: [String: String]
    let statuses: [String]
    let list: String
    let listed: [String]
}

/// A value without the order of fields, and a field once.
enum PlainValue: Decodable, Equatable, Sendable {
    case null
    case number(Double)
    case string(String)
    case boolean(Bool)
    case structure([String: PlainValue])
    case list([PlainValue])

    init(from decoder: any Decoder) throws {
        let content = try decoder.singleValueContainer()
        if content.decodeNil() {
            self = .null
        } else if let value = try? content.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? content.decode(Double.self) {
            self = .number(value)
        } else if let value = try? content.decode(String.self) {
            self = .string(value)
        } else if let value = try? content.decode([PlainValue].self) {
            self = .list(value)
        } else {
            // Names of fields are data, not the names of properties that the decoder's strategy is for.
            let fields = try decoder.container(keyedBy: FieldName.self)
            var values: [String: PlainValue] = [:]
            for name in fields.allKeys { values[name.stringValue] = try fields.decode(PlainValue.self, forKey: name) }
            self = .structure(values)
        }
    }

    init(_ value: ProtobufValue) {
        switch value {
        case .null: self = .null
        case .number(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .boolean(let value): self = .boolean(value)
        case .list(let elements): self = .list(elements.map { PlainValue($0) })
        case .structure(let structure):
            var values: [String: PlainValue] = [:]
            for field in structure.fields { values[field.name] = PlainValue(field.value) }
            self = .structure(values)
        }
    }

    /// The value with the fields of structs in the order of their names.
    var value: ProtobufValue {
        switch self {
        case .null: .null
        case .number(let number): .number(number)
        case .string(let text): .string(text)
        case .boolean(let value): .boolean(value)
        case .list(let elements): .list(elements.map(\.value))
        case .structure(let values): .structure(Self.structure(values))
        }
    }

    static func structure(_ values: [String: PlainValue]) -> ProtobufStruct {
        let names = values.keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        return ProtobufStruct(names.map { name in ProtobufStruct.Field(name, values[name]?.value ?? .null) })
    }

    private struct FieldName: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }
}
