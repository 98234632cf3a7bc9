import Testing

@testable import ExtProcProto

/// What the writers guarantee beyond the oracle's bytes.
@Suite struct ProcessingResponseTests {
    private static func streamed(_ piece: StreamedPiece, of direction: PieceHead.Direction) -> ProcessingResponse {
        let common = CommonResponse(body: .streamed(piece))
        return ProcessingResponse(direction == .request ? .requestBody(common) : .responseBody(common))
    }

    @Test func `the usual answer of a picker`() {
        let endpoint = "10.0.0.1:8000"
        let response = ProcessingResponse(
            .requestHeaders(
                CommonResponse(
                    headers: HeaderChanges(set: [HeaderSetting("x-gateway-destination-endpoint", endpoint)]),
                    clearsRouteCache: true
                )
            ),
            dynamicMetadata: ["envoy.lb": .structure(["x-gateway-destination-endpoint": .string(endpoint)])]
        )
        let head = response.head()
        let bytes = head.bytes
        #expect(bytes.count == head.byteCount && head.bodyByteCount == 0)
        #expect(bytes[..<5].elementsEqual([0, 0, 0, 0, UInt8(bytes.count - 5)]))
        // Metadata is in front of the answer, which could have a body.
        let metadata = Wire.bytes(8, response.dynamicMetadata?.encoded ?? [])
        #expect(bytes[5...].starts(with: metadata) && bytes[5 + metadata.count] == 0x0A)
        #expect(bytes.suffix(2) == [0x28, 0x01])
    }

    @Test func `a piece has the same head by itself as in a response`() {
        for count in [0, 1, 127, 128, 129, 16_375, 16_384, 62_000, 1 << 20, 1 << 28, 2_000_000_000] {
            for direction in [PieceHead.Direction.request, .response] {
                for flags in 0..<8 {
                    let piece = StreamedPiece(
                        byteCount: count,
                        isEndOfStream: flags & 1 != 0,
                        isEndOfStreamWithoutMessage: flags & 2 != 0,
                        isCompressedGRPCMessage: flags & 4 != 0
                    )
                    let head = PieceHead(piece, of: direction)
                    #expect(head.bytes == Self.streamed(piece, of: direction).head().bytes)
                    #expect(head.bytes.count == head.byteCount && head.byteCount <= 41)
                    #expect(head.bodyByteCount == count)
                }
            }
        }
    }

    @Test func `an answer that changes nothing is as short as can be`() {
        #expect(ProcessingResponse(.requestHeaders(CommonResponse())).head().bytes == [0, 0, 0, 0, 2, 0x0A, 0])
        #expect(ProcessingResponse(.responseTrailers(.none)).head().bytes == [0, 0, 0, 0, 2, 0x32, 0])
    }

    @Test func `random responses are read back`() throws {
        var generator = SeededGenerator(seed: 6)
        for round in 0..<300 {
            let response = randomResponse(&generator)
            let head = response.head()
            let body = bodyBytes(head.bodyByteCount)
            let bytes = head.bytes
            #expect(bytes.count == head.byteCount)
            let (read, readBody) = try ProcessingResponse.reading(Array(bytes[GRPCPrefix.byteCount...]) + body)
            #expect(read == response, "round \(round)")
            #expect(readBody == body)
        }
    }

    @Test func `durations are seconds and nanoseconds of one sign`() throws {
        let durations: [(Duration, Duration)] = [
            (.milliseconds(-1_500), .milliseconds(-1_500)), (.nanoseconds(999_999_999), .nanoseconds(999_999_999)),
            (.zero, .zero), (Duration(secondsComponent: 0, attosecondsComponent: 1_999_999_999), .nanoseconds(1)),
        ]
        for (given, expected) in durations {
            let response = ProcessingResponse(.requestTrailers(.none), timeoutOverride: given)
            let (read, _) = try ProcessingResponse.reading(Array(response.head().bytes[GRPCPrefix.byteCount...]))
            #expect(read.timeoutOverride == expected)
        }
    }

    private func randomResponse(_ generator: inout SeededGenerator) -> ProcessingResponse {
        func pick<Element>(_ choices: [Element]) -> Element {
            choices[Int.random(in: choices.indices, using: &generator)]
        }
        func text() -> String { String(repeating: pick(["a", "ü", "😀"]), count: pick([0, 1, 20, 40, 200])) }
        func setting(_ action: AppendAction) -> HeaderSetting { HeaderSetting(text(), text(), action: action) }
        func changes() -> HeaderChanges {
            let actions: [AppendAction] = [.appendIfExistsOrAdd, .addIfAbsent, .overwriteIfExists]
            return HeaderChanges(
                set: (0..<pick([0, 1, 3, 20])).map { _ in setting(pick(actions)) },
                remove: (0..<pick([0, 0, 2])).map { _ in text() }
            )
        }
        let piece = StreamedPiece(byteCount: pick([0, 5, 300, 20_000]), isEndOfStream: pick([true, false]))
        let bodies: [BodyChange?] = [nil, .cleared, .replaced(byteCount: pick([0, 9, 900])), .streamed(piece)]
        let common = CommonResponse(
            status: pick([.continue, .continueAndReplace]),
            headers: changes(),
            body: pick(bodies),
            trailers: pick([nil, [], [setting(.overwriteIfExistsOrAdd)]]),
            clearsRouteCache: pick([true, false])
        )
        let immediate = ImmediateResponse(
            status: pick([0, 200, 429, 503]),
            headers: changes(),
            bodyByteCount: pick([0, 3, 5_000]),
            grpcStatus: pick([nil, 0, 14, .max]),
            details: text()
        )
        let answers: [ProcessingResponse.Answer] = [
            .requestHeaders(common), .responseHeaders(common), .requestBody(common), .responseBody(common),
            .requestTrailers(changes()), .responseTrailers(changes()), .immediate(immediate),
        ]
        return ProcessingResponse(
            pick(answers),
            dynamicMetadata: pick([nil, [:], ["envoy.lb": .structure([text(): .string(text())])]]),
            modeOverride: pick([nil, ProcessingMode(requestBody: .grpc, responseTrailers: .skip)]),
            timeoutOverride: pick([nil, .seconds(2)])
        )
    }
}
