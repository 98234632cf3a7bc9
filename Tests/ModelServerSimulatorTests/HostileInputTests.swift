import ModelServerSimulator
import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@Suite("Simulated server: hostile input")
struct HostileInputTests {
    private static let bodies: [(path: String, body: String)] = [
        (
            "/v1/chat/completions",
            #"{"model":"martlet-sim","messages":[{"role":"user","content":[{"type":"text","text":"a\u00e9\n"}]}],"#
                + #""max_tokens":2,"n":1,"stream":false,"stream_options":{"include_usage":true}}"#
        ),
        ("/v1/completions", #"{"model":"martlet-sim","prompt":[[1,2],[3]],"max_tokens":2,"ignore_eos":true}"#),
        ("/v1/embeddings", #"{"model":"martlet-sim","input":["x"],"dimensions":4,"encoding_format":"base64"}"#),
        ("/v1/messages", #"{"max_tokens":2,"system":"s","messages":[{"role":"user","content":"x"}]}"#),
        ("/v1/responses", #"{"model":"martlet-sim","input":[{"role":"user","content":"x"}],"max_output_tokens":2}"#),
        ("/tokenize", #"{"model":"martlet-sim","prompt":"x"}"#),
        ("/v1/load_lora_adapter", #"{"lora_name":"x","lora_path":"y"}"#),
    ]

    private static func mutate(_ body: String, _ random: inout EngineConservationTests.TestRandom) -> [UInt8] {
        var bytes = Array(body.utf8)
        let interesting = Array(#"{}[]",:\0-9e.nulltrue"#.utf8) + [0, 0x80, 0xC3, 0xFF]
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0...bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where place < bytes.count: bytes[place] = interesting.randomElement(using: &random) ?? 0
            case 1 where place < bytes.count: bytes.remove(at: place)
            case 2: bytes.removeSubrange(place...)
            default: bytes.insert(interesting.randomElement(using: &random) ?? 0, at: place)
            }
        }
        return bytes
    }

    @Test("No body, however broken, gets anything but an answer in order")
    func mutatedBodies() async throws {
        let configuration = instantConfiguration { $0.parameters.maxModelLength = 200 }
        try await withServer(configuration) { client, _ in
            var random = EngineConservationTests.TestRandom(state: 42)
            var statuses: Set<UInt> = []
            try await client.connect().executeThenClose { inbound, outbound in
                var parts = inbound.makeAsyncIterator()
                for round in 0..<1_500 {
                    let (path, body) = Self.bodies[round % Self.bodies.count]
                    let bytes = round < Self.bodies.count ? Array(body.utf8) : Self.mutate(body, &random)
                    let head = HTTPRequestHead(
                        version: .http1_1, method: .POST, uri: path,
                        headers: ["host": "simulator", "content-length": "\(bytes.count)"]
                    )
                    try await outbound.write(contentsOf: [.head(head), .body(ByteBuffer(bytes: bytes)), .end(nil)])
                    statuses.insert(try await TestClient.response(from: &parts).status)
                }
            }
            #expect(statuses == [200, 400, 404])
            #expect(try await client.state("running") == 0)
            #expect(try await client.state("used_blocks") == 0)
        }
    }

    @Test("No JSON makes a plan of faults that is out of its ranges")
    func mutatedPlans() {
        var plan = FaultPlan()
        plan.resetAfterEvents = 3
        plan.durationMilliseconds = 1_000
        var random = EngineConservationTests.TestRandom(state: 43)
        var accepted = 0
        for _ in 0..<3_000 {
            if let read = try? FaultPlan(json: Self.mutate(plan.json, &random)) {
                accepted += 1
                #expect(throws: Never.self) {
                    try read.validate()
                }
            }
        }
        #expect(accepted > 0)
    }

    @Test("What is not HTTP is answered with 400 and the end of the connection")
    func notHTTP() async throws {
        try await withServer { client, _ in
            let raw = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connect(to: client.address) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                    }
                }
            let answer = try await raw.executeThenClose { inbound, outbound in
                try await outbound.write(ByteBuffer(string: "\u{1}\u{2} no request\r\n\r\n"))
                var answer = ""
                for try await buffer in inbound {
                    answer += String(buffer: buffer)
                }
                return answer
            }
            #expect(answer.hasPrefix("HTTP/1.1 400 "))
            #expect(try await client.get("/health").status == 200)
        }
    }
}
