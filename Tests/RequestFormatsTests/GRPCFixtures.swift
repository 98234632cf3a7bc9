import FoundationEssentials

@testable import RequestFormats

/// The cases that Fixtures/make-grpc-fixtures.py wrote with Google's protobuf.
struct GRPCFixtures: Decodable, Sendable {
    static let all: GRPCFixtures = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        do {
            return try JSONDecoder().decode(Self.self, from: Data(contentsOf: folder.appending(path: "grpc.json")))
        } catch {
            fatalError("the fixture cannot be read: \(error)")
        }
    }()

    let requests: [Request]
    let responses: [Response]
    let damaged: [Damaged]

    /// A body and what is read of it.
    struct Request: Decodable, Sendable {
        let name: String
        let api: String
        let body: String
        let prompt: String
        let tokenIDCount: Int?
        let stream: Bool
        let maxOutputTokens: Int?
        let model: String?
    }

    /// A response and its prompt, completion and cached tokens.
    struct Response: Decodable, Sendable {
        let name: String
        let api: String
        let body: String
        let counts: [Int]?

        var usage: ResponseUsage? {
            counts.map { ResponseUsage(promptTokens: $0[0], completionTokens: $0[1], cachedTokens: $0[2]) }
        }
    }

    /// A damaged GenerateRequest.
    struct Damaged: Decodable, Sendable {
        let body: String
        /// What protobuf reads in it; `nil` when it refuses it.
        let read: Reading?

        struct Reading: Decodable, Sendable {
            let input: String?
            let text: String?
            let tokenIDCount: Int?
            let stream: Bool
            let maxOutputTokens: Int?
        }
    }

    /// The bytes of hexadecimal digits.
    static func bytes(_ digits: String) -> [UInt8] {
        let values = digits.utf8.compactMap { Character(Unicode.Scalar($0)).hexDigitValue }
        return stride(from: 0, to: values.count - 1, by: 2).map { UInt8(values[$0] << 4 | values[$0 + 1]) }
    }

    /// The digits of bytes.
    static func digits(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
