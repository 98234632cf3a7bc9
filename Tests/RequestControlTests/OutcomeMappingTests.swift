import GatewayCore
import RequestFormats
import Testing

@testable import RequestControl

@Suite struct OutcomeMappingTests {
    /// Every reason: status, error code, reason header, Retry-After, whether the connection closes.
    private static let table: [Rejection.Reason: String] = [
        .invalidRequest: "400 - - - keeps",
        .modelNotFound: "404 model_not_found - - keeps",
        .routeNotFound: "404 route_not_found - - keeps",
        .methodNotAllowed: "405 method_not_allowed - - keeps",
        .requestTimeout: "408 request_timeout - - closes",
        .preconditionFailed: "412 precondition_failed - - keeps",
        .bodyTooLarge: "413 request_too_large - - closes",
        .saturated: "429 saturated rejected-saturated 1 keeps",
        .shed: "429 saturated - 1 keeps",
        .queueFull: "429 queue_full rejected-saturated 1 keeps",
        .queueTimeout: "429 queue_timeout rejected-ttl-expired 1 keeps",
        .evicted: "429 evicted evicted 1 keeps",
        .headersTooLarge: "431 headers_too_large - - closes",
        .internalError: "500 internal_error - - keeps",
        .noEndpoints: "503 no_endpoints rejected-no-endpoints 1 keeps",
        .endpointsDown: "503 endpoints_down rejected-endpoints-down 1 keeps",
        .clientGone: "503 client_gone rejected-context-cancelled - keeps",
        .upstreamFailed: "503 upstream_failed upstream-failed 1 keeps",
        .shuttingDown: "503 shutting_down rejected-shutting-down - closes",
        .upstreamTimeout: "504 upstream_timeout upstream-timeout - keeps",
    ]

    @Test(arguments: Rejection.Reason.allCases)
    func everyReasonHasItsRow(reason: Rejection.Reason) {
        let mapping = OutcomeMapping(reason)
        let row = [
            String(mapping.status), mapping.errorCode ?? "-", mapping.droppedReason ?? "-",
            mapping.retryAfterSeconds.map { String($0) } ?? "-", mapping.closesConnection ? "closes" : "keeps",
        ]
        #expect(row.joined(separator: " ") == Self.table[reason])
    }

    @Test func aReplyCarriesTheRow() {
        let reply = LocalReply(Rejection(.saturated, "busy \"now\""), api: .chatCompletions)
        #expect(reply.status == 429)
        #expect(
            reply.headers.map { "\($0.name): \($0.value)" } == [
                "content-type: application/json", "x-llm-d-request-dropped-reason: rejected-saturated",
                "retry-after: 1",
            ])
        let body = String(decoding: reply.body, as: UTF8.self)
        #expect(
            body == #"{"error":{"message":"busy \"now\"","type":"rate_limit_error","param":null,"code":"saturated"}}"#
        )
    }

    @Test func anthropicClientsGetTheirOwnForm() {
        let reply = LocalReply(Rejection(.noEndpoints, "nobody"), api: .messages)
        let body = String(decoding: reply.body, as: UTF8.self)
        #expect(body == #"{"type":"error","error":{"type":"overloaded_error","message":"nobody"}}"#)
    }
}
