import Foundation
import Testing

@testable import RequestFormats

@Suite struct JSONWriterTests {
    @Test func `containers, keys and scalars get their commas`() {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("a")
        writer.beginArray()
        writer.integer(-1)
        writer.double(0.1)
        writer.double(1e300)
        writer.double(.infinity)
        writer.boolean(true)
        writer.null()
        writer.beginObject()
        writer.endObject()
        writer.endArray()
        writer.key("b\"")
        writer.raw("[2]".utf8)
        writer.key("c")
        writer.string("")
        writer.endObject()
        #expect(
            String(decoding: writer.bytes, as: UTF8.self)
                == #"{"a":[-1,0.1,1e+300,null,true,null,{}],"b\"":[2],"c":""}"#
        )
        #expect(syntaxError(writer.bytes) == nil)
    }

    @Test func `every scalar value survives writing and reading`() throws {
        var text = ""
        for value in [0...0x2FF, 0x2028...0x2029, 0xD7F0...0xD7FF, 0xE000...0xE00F, 0xFFF0...0x1000F] {
            for scalar in value { text.unicodeScalars.append(Unicode.Scalar(UInt32(scalar))!) }
        }
        var writer = JSONWriter()
        writer.string(text)
        let bytes = writer.bytes
        var scanner = JSONScanner()
        let value = try scanner.skipValue(in: bytes.span.bytes)
        try scanner.finish(in: bytes.span.bytes)
        let decoded = value.string(in: bytes.span.bytes)
        #expect(decoded?.unicodeScalars.elementsEqual(text.unicodeScalars) == true)
        let foundation = try JSONDecoder().decode(String.self, from: Data(bytes))
        #expect(foundation.unicodeScalars.elementsEqual(text.unicodeScalars))
    }

    @Test(arguments: [0.0, -0.0, 1.0, .leastNonzeroMagnitude, 1.7976931348623157e308, 0.1 + 0.2, 1e16, 123456789.125])
    func `numbers read back as the same`(value: Double) throws {
        var writer = JSONWriter()
        writer.double(value)
        #expect(syntaxError(writer.bytes) == nil)
        #expect(Double(String(decoding: writer.bytes, as: UTF8.self)) == value)
    }

    @Test(arguments: ["b", "", #"quo"te\"#, "näme\n", String(repeating: "long", count: 100)])
    func `a rewrite changes nothing but the value`(model: String) throws {
        let text = #"{ "seed":18446744073709551615,"model" : "old\u002Dname" ,"prompt":"p <&> é"}"#
        let body = try parse(text, as: .completions)
        let bytes = Array(text.utf8)
        let range = try #require(body.modelRange)
        let rewrite = JSONRewrite(replacing: range, ofDocumentWithByteCount: bytes.count, with: model)
        let joined = rewrite.joined(with: bytes.span.bytes)
        #expect(rewrite.byteCount == joined.count)
        #expect(joined.starts(with: #"{ "seed":18446744073709551615,"model" : "#.utf8))
        #expect(joined.suffix(22).elementsEqual(bytes.suffix(22)))
        let rewritten = try ParsedBody(parsing: joined.span.bytes, as: .completions)
        #expect(rewritten.model == model)
        #expect(rewritten.promptBytes == body.promptBytes)
    }

    @Test func `errors are written in the client's format`() {
        let error = ErrorBody(status: 404, message: "no \"x\"", code: "no_model", parameter: "model")
        #expect(
            String(decoding: error.encoded(for: .completions), as: UTF8.self)
                == #"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"model","code":"no_model"}}"#
        )
        #expect(
            String(decoding: error.encoded(for: .messages), as: UTF8.self)
                == #"{"type":"error","error":{"type":"not_found_error","message":"no \"x\""}}"#
        )
        #expect(
            String(decoding: ErrorBody(status: 503, message: "m").encoded(for: .passthrough), as: UTF8.self)
                == #"{"error":{"message":"m","type":"server_error","param":null,"code":null}}"#
        )
    }

    @Test(arguments: [
        (400, "invalid_request_error", "invalid_request_error"), (401, "authentication_error", "authentication_error"),
        (403, "permission_error", "permission_error"), (404, "invalid_request_error", "not_found_error"),
        (413, "invalid_request_error", "request_too_large"), (429, "rate_limit_error", "rate_limit_error"),
        (431, "invalid_request_error", "invalid_request_error"), (500, "server_error", "api_error"),
        (502, "server_error", "api_error"), (503, "server_error", "overloaded_error"),
        (504, "server_error", "api_error"),
    ])
    func `error types follow the status`(status: Int, openAI: String, anthropic: String) {
        let error = ErrorBody(status: status, message: "m")
        #expect(String(decoding: error.encoded(for: .chatCompletions), as: UTF8.self).contains(#""type":"\#(openAI)""#))
        #expect(
            String(decoding: error.encoded(for: .messagesCountTokens), as: UTF8.self).contains(
                #""type":"\#(anthropic)""#
            )
        )
    }
}
