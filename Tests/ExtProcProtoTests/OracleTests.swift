import Testing

@testable import ExtProcProto

/// The codec beside protobuf's own.
@Suite struct OracleTests {
    @Test func `requests are read as the oracle reads them`() throws {
        #expect(OracleFixtures.requests.count >= 60)
        for (index, fixture) in OracleFixtures.requests.enumerated() {
            let bytes = fixture.wire.bytes
            let expected = try #require(fixture.request)
            let description = RequestDescription(try read(bytes), in: bytes, namesOf: expected)
            #expect(description == expected, "case \(index)")
        }
    }

    @Test func `damaged requests get the oracle's verdict, or one that is stricter on purpose`() throws {
        var (read, refused, stricter) = (0, 0, 0)
        for (index, fixture) in OracleFixtures.damagedRequests.enumerated() {
            let bytes = fixture.wire.bytes
            do throws(WireError) {
                let request = try ExtProcProtoTests.read(bytes)
                read += 1
                let description = RequestDescription(request, in: bytes, namesOf: fixture.request)
                #expect(description == fixture.request, "case \(index)")
            } catch {
                #expect(error.byteOffset <= bytes.count)
                switch error.code {
                case _ where fixture.request == nil: refused += 1
                case .wrongWireType, .duplicateField: stricter += 1
                default: Issue.record("case \(index): \(error)")
                }
            }
        }
        #expect(read > 20 && refused > 80 && stricter < 20)
    }

    @Test func `responses are written as the oracle writes them`() throws {
        #expect(OracleFixtures.responses.count >= 90)
        for (index, fixture) in OracleFixtures.responses.enumerated() {
            let response = try #require(ProcessingResponse(fixture.response))
            let head = response.head()
            #expect(head.bodyByteCount == fixture.body, "case \(index)")
            #expect(head.bytes == OracleFixtures.bytes(fixture.head), "case \(index)")
        }
    }

    @Test func `responses that the oracle wrote are read back`() throws {
        for (index, fixture) in OracleFixtures.responses.enumerated() {
            let expected = try #require(ProcessingResponse(fixture.response))
            let framed = OracleFixtures.bytes(fixture.head) + bodyBytes(fixture.body)
            let (response, body) = try ProcessingResponse.reading(Array(framed[GRPCPrefix.byteCount...]))
            #expect(response == expected, "case \(index)")
            #expect(body == bodyBytes(fixture.body), "case \(index)")
        }
    }

    @Test func `health messages are the oracle's`() throws {
        let fixture = OracleFixtures.health
        for (service, digits) in fixture.requests {
            let bytes = OracleFixtures.bytes(digits)
            #expect(try healthService(bytes) == service)
        }
        for (number, digits) in fixture.statuses.enumerated() {
            let response = HealthCheckResponse(try #require(ServingStatus(rawValue: UInt8(number))))
            let content = OracleFixtures.bytes(digits)
            #expect(written(response.byteCount, response.write) == [0, 0, 0, 0, UInt8(content.count)] + content)
        }
        let list = HealthListResponse(
            fixture.listed.map { HealthListResponse.Entry($0, $0 == "liveness" ? .serving : .notServing) }
        )
        let content = OracleFixtures.bytes(fixture.list)
        #expect(written(list.byteCount, list.write) == [0, 0, 0, 0, UInt8(content.count)] + content)
    }
}

extension ProcessingResponse {
    /// What the oracle was told to write; `nil` for a description that it would not make.
    init?(_ description: ResponseDescription) {
        let changes = HeaderChanges(
            set: description.changes?.set.map(\.setting) ?? [],
            remove: description.changes?.remove ?? []
        )
        let common = CommonResponse(description, changes)
        let answer: Answer
        switch description.answer {
        case "request_headers": answer = .requestHeaders(common)
        case "response_headers": answer = .responseHeaders(common)
        case "request_body": answer = .requestBody(common)
        case "response_body": answer = .responseBody(common)
        case "request_trailers": answer = .requestTrailers(changes)
        case "response_trailers": answer = .responseTrailers(changes)
        case "immediate_response":
            let immediate = ImmediateResponse(
                status: description.status ?? 0,
                headers: changes,
                bodyByteCount: description.bodyLength ?? 0,
                grpcStatus: description.grpcStatus,
                details: description.details ?? ""
            )
            answer = .immediate(immediate)
        default: return nil
        }
        self.init(answer)
        if case .structure(let values) = description.metadata { dynamicMetadata = PlainValue.structure(values) }
        modeOverride = description.modeOverride.map { ProcessingMode(numbers: $0) }
        timeoutOverride = description.timeout.map { .seconds($0[0]) + .nanoseconds($0[1]) }
    }
}

extension CommonResponse {
    fileprivate init(_ description: ResponseDescription, _ changes: HeaderChanges) {
        let count = description.bodyLength ?? 0
        let body: BodyChange?
        switch description.body {
        case "replaced": body = .replaced(byteCount: count)
        case "cleared": body = .cleared
        case "streamed":
            let flags = description.flags ?? [false, false, false]
            let piece = StreamedPiece(
                byteCount: count,
                isEndOfStream: flags[0],
                isEndOfStreamWithoutMessage: flags[1],
                isCompressedGRPCMessage: flags[2]
            )
            body = .streamed(piece)
        default: body = nil
        }
        self.init(
            status: description.replace == true ? .continueAndReplace : .continue,
            headers: changes,
            body: body,
            trailers: description.trailers?.map { HeaderSetting($0[0], $0[1]) },
            clearsRouteCache: description.clearRouteCache ?? false
        )
    }
}

extension ProcessingMode {
    /// The mode with these numbers in fields 1 to 6.
    init(numbers: [Int32]) {
        func headers(_ index: Int) -> HeaderSendMode {
            HeaderSendMode(rawValue: UInt8(truncatingIfNeeded: numbers[index])) ?? .standard
        }
        self.init(
            requestHeaders: headers(0),
            responseHeaders: headers(1),
            requestBody: BodySendMode(number: numbers[2]),
            responseBody: BodySendMode(number: numbers[3]),
            requestTrailers: headers(4),
            responseTrailers: headers(5)
        )
    }
}
