import GatewayCore
import Telemetry
import Testing

@testable import BodyBasedRouting

/// A router with its metrics page.
private struct Fixture {
    let registry = MetricRegistry(writesDeprecated: true)
    let router: BodyRouter

    init(_ plugins: String..., mapping: ModelMapping = ModelMapping()) throws {
        router = try BodyRouter(
            plugins: try plugins.map { try PluginSpecification(parsing: $0) },
            mapping: mapping,
            metrics: try BodyRoutingMetrics(registry: registry, commit: "c", buildRef: "r"),
            clock: SystemMonotonicClock()
        )
    }

    /// The changes in text: `name=value` for a field to set, `-name` for one to remove; or why the request is refused.
    func route(_ body: String, _ contentType: String? = "application/json") -> [String] {
        let bytes = Array(body.utf8)
        switch router.route(contentType: contentType, body: bytes.span.bytes) {
        case .success(let changes):
            #expect(changes.add.isEmpty)
            return changes.set.map { "\($0.name)=\($0.value)" } + changes.remove.map { "-\($0)" }
        case .failure(let rejection):
            #expect(rejection.reason == .invalidRequest)
            return ["\(rejection.parameter ?? "-"): \(rejection.message)"]
        }
    }

    /// The value of a series of the page; `nil` when it is not there.
    func metric(_ series: String) -> Double? {
        String(decoding: registry.page(.prometheusText), as: UTF8.self).split(separator: "\n")
            .first { $0.hasPrefix(series + " ") }.flatMap { Double($0.dropFirst(series.utf8.count + 1)) }
    }
}

@Suite struct BodyRouterTests {
    private static let model = "X-Gateway-Model-Name"
    private static let base = "X-Gateway-Base-Model-Name"
    private static let removed = ["-\(model)", "-\(base)"]

    private static let mapping = ModelMapping([
        .init(source: "a", baseModel: "llama", adapters: ["sql"]), .init(source: "b", baseModel: "qwen"),
    ])

    // MARK: The default chain

    @Test(
        arguments: [
            (#"{"model":"sql"}"#, "sql", "llama"), (#"{"model":"llama","x":[1]}"#, "llama", "llama"),
            (#"{"x":{"model":"no"},"model":" sql "}"#, " sql ", "llama"), (#"{"model":"other"}"#, "other", ""),
            (#"{"model":7}"#, "7", ""), (#"{"mod\u0065l":"\u0071wen"}"#, "qwen", "qwen"),
        ])
    func theModelAndItsBaseAreSet(body: String, model: String, base: String) throws {
        let fixture = try Fixture(mapping: Self.mapping)
        #expect(fixture.route(body) == ["\(Self.model)=\(model)", "\(Self.base)=\(base)"])
        #expect(fixture.metric("bbr_success_total") == 1)
        for type in ["body-field-to-header", "base-model-to-header"] {
            let labels = #"extension_point="request",plugin_type="\#(type)",plugin_name="\#(type)""#
            #expect(fixture.metric("bbr_plugin_duration_seconds_count{\(labels)}") == 1)
        }
    }

    @Test func withoutAModelAClientsOwnFieldsAreRemoved() throws {
        let fixture = try Fixture(mapping: Self.mapping)
        for body in ["{}", #"{"model":null}"#] { #expect(fixture.route(body) == Self.removed) }
        #expect(fixture.metric(#"bbr_body_field_not_found_total{field="model"}"#) == 2)
        #expect(fixture.metric("bbr_model_not_in_body_total") == 2)
        #expect(fixture.route(#"{"model":""}"#) == Self.removed)
        #expect(fixture.metric(#"bbr_body_field_empty_total{field="model"}"#) == 1)
        #expect(fixture.metric("bbr_model_not_in_body_total") == 2)
        #expect(fixture.metric("bbr_success_total") == 3)
    }

    @Test func requestsThatNameTheirModelInTheHeaderAreCounted() throws {
        let fixture = try Fixture()
        for headers in [[("X-Gateway-Model-Name", "m")], [("x-gateway-model-name", "")], [("other", "m")], []] {
            fixture.router.noteArrival(with: HeaderMap(headers.map { HeaderMap.Field(name: $0, value: $1) }))
        }
        #expect(fixture.metric("bbr_model_already_present_in_header_total") == 2)
    }

    @Test func badJSONIsRefused() throws {
        let fixture = try Fixture()
        let message = "- the request body is not valid JSON: the body ends where ',' or '}' is expected (byte 12)"
        #expect(fixture.route(#"{"model":"m""#).first?.hasPrefix(message.replacing("- ", with: "-: ")) == true)
        #expect(fixture.route("[1]").first?.contains("must be a JSON object, not an array") == true)
        #expect(fixture.route(#"{"model":"a","model":"b"}"#).first?.hasPrefix("model: ") == true)
        #expect(fixture.route(" ").first?.contains("(byte 1)") == true)
        #expect(fixture.metric("bbr_model_not_parsed_total") == 4)
        #expect(fixture.metric("bbr_success_total") == 0)
    }

    @Test func aValueThatIsNoFieldValueIsRefused() throws {
        let fixture = try Fixture()
        let long = String(repeating: "m", count: 1_024)
        #expect(fixture.route(#"{"model":"\#(long)"}"#).count == 2)
        let tooLong = fixture.route(#"{"model":"\#(long)m"}"#)
        #expect(
            tooLong == ["model: The value of the field 'model' has more than 1024 bytes, the limit of a header field."])
        #expect(
            fixture.route(#"{"model":"a\r\nX-Evil: 1"}"#) == [
                "model: The value of the field 'model' has the control character 13, which no header field may have."
            ])
        for escape in [#"\u0000"#, #"\t"#, #"\u007f"#] {
            #expect(fixture.route(#"{"model":"a\#(escape)"}"#).first?.hasPrefix("model: ") == true)
        }
    }

    // MARK: Which bodies are read

    @Test(
        arguments: [
            ("text/plain", #"{"model":"m"}"#), ("application/x-www-form-urlencoded", "model=m"),
            ("application/octet-stream", "\u{0}"), ("application/json", ""), (nil, ""), (nil, "model=m"), (nil, " \n"),
            (nil, #"["model"]"#), ("multipart/form-data", #"{"model":"m"}"#),
            ("multipart/form-data; boundary=b", "--b\r\n"),
        ] as [(String?, String)])
    func otherBodiesPassWithoutForgedFields(contentType: String?, body: String) throws {
        let fixture = try Fixture(mapping: Self.mapping)
        #expect(fixture.route(body, contentType) == Self.removed)
        #expect(fixture.metric("bbr_success_total") == 0)
    }

    @Test func withoutATypeABodyThatStartsLikeAnObjectIsOne() throws {
        let fixture = try Fixture()
        #expect(fixture.route(" \r\n\t{\"model\":\"m\"}", nil).first == "\(Self.model)=m")
        #expect(fixture.route("{", nil).first?.contains("not valid JSON") == true)
    }

    @Test func formsAreRead() throws {
        let fixture = try Fixture(mapping: Self.mapping)
        func form(_ name: String, _ value: String) -> String {
            "--b c\r\nContent-Disposition: form-data; name=\"file\"; filename=\"model\"\r\n\r\n\u{1}\r\n--\r\n"
                + "--b c\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n--b c--\r\n"
        }
        let type = "multipart/form-data; boundary=\"b c\""
        #expect(fixture.route(form("model", "sql"), type) == ["\(Self.model)=sql", "\(Self.base)=llama"])
        #expect(fixture.route(form("x", "sql"), type) == Self.removed)
        #expect(fixture.metric("bbr_model_not_in_body_total") == 1)
        #expect(fixture.route(form("model", "a\nb"), type).first?.hasPrefix("model: ") == true)
        #expect(fixture.route(form("model", "sql") + "x", "multipart/form-data; boundary=c") == Self.removed)
        #expect(fixture.metric("bbr_model_not_parsed_total") == 1)
    }

    // MARK: Other chains

    @Test func anyFieldCanBecomeAHeader() throws {
        let fixture = try Fixture(
            #"body-field-to-header:user:{"fieldName":"user","headerName":"X-User"}"#,
            #"body-field-to-header:meta:{"fieldName":"metadata","headerName":"x-meta"}"#
        )
        #expect(fixture.route(#"{"user":"u","metadata":{ "a" : 1 }}"#) == ["X-User=u", #"x-meta={"a":1}"#])
        #expect(fixture.route(#"{"metadata":true}"#) == ["x-meta=true", "-X-User"])
        #expect(fixture.metric(#"bbr_body_field_not_found_total{field="user"}"#) == 1)
        #expect(fixture.metric("bbr_model_not_in_body_total") == 0)
    }

    @Test func theFirstRefusalEndsTheChain() throws {
        let fixture = try Fixture(
            #"body-field-to-header:a:{"fieldName":"a","headerName":"x-a"}"#,
            #"body-field-to-header:b:{"fieldName":"b","headerName":"x-b"}"#
        )
        #expect(fixture.route(#"{"b":"\n","a":"\n"}"#).first?.hasPrefix("a: ") == true)
        let second = #"extension_point="request",plugin_type="body-field-to-header",plugin_name="b""#
        #expect(fixture.metric("bbr_plugin_duration_seconds_count{\(second)}") == nil)
    }

    @Test func theLastToSetAFieldWinsAndOneThatSkipsLeavesIt() throws {
        let fixture = try Fixture(
            #"body-field-to-header:a:{"fieldName":"a","headerName":"X-Model"}"#,
            #"body-field-to-header:b:{"fieldName":"b","headerName":"x-model"}"#
        )
        #expect(fixture.route(#"{"a":1,"b":2}"#) == ["x-model=2"])
        #expect(fixture.route(#"{"a":1}"#) == ["X-Model=1"])
        #expect(fixture.route("{}") == ["-X-Model"])
    }

    @Test func theBaseModelAloneNeedsNoOtherPlugin() throws {
        let fixture = try Fixture("base-model-to-header:base", mapping: Self.mapping)
        #expect(fixture.route(#"{"model":"sql"}"#) == ["\(Self.base)=llama"])
        let long = String(repeating: "m", count: 2_000)
        #expect(fixture.route(#"{"model":"\#(long)"}"#) == ["\(Self.base)="])
    }

    @Test func aReloadReplacesTheMapping() throws {
        let fixture = try Fixture(mapping: Self.mapping)
        fixture.router.replaceMapping(ModelMapping([.init(source: "a", baseModel: "new", adapters: ["sql"])]))
        #expect(fixture.route(#"{"model":"sql"}"#).last == "\(Self.base)=new")
        #expect(fixture.route(#"{"model":"llama"}"#).last == "\(Self.base)=")
    }

    // MARK: Hostile bytes

    @Test func anyBodyIsRoutedOrRefused() throws {
        let fixture = try Fixture(mapping: Self.mapping)
        var random = RandomSource(seed: 3)
        let bodies: [(String, String?)] = [
            (#"{"model":"sql","x":["\u00e9",1e5]}"#, "application/json"), (#" {"model":"a"}"#, nil),
            (
                "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--b--",
                "multipart/form-data; boundary=b"
            ),
        ]
        var outcomes: [Int: Int] = [:]
        for round in 0..<6_000 {
            let (text, contentType) = bodies[round % bodies.count]
            var bytes = Array(text.utf8)
            for _ in 0...Int(random.next() % 3) {
                let place = Int(random.next() % UInt64(bytes.count))
                switch random.next() % 3 {
                case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.insert(bytes[Int(random.next() % UInt64(bytes.count))], at: place)
                default: bytes.removeSubrange(place...)
                }
                if bytes.isEmpty { bytes = [0x7B] }
            }
            switch fixture.router.route(contentType: contentType, body: bytes.span.bytes) {
            case .success(let route):
                outcomes[route.set.count, default: 0] += 1
                for field in route.set where FieldValueFault(field.value) != nil { Issue.record("\(bytes)") }
            case .failure(let rejection):
                outcomes[-1, default: 0] += 1
                if rejection.message.isEmpty { Issue.record("\(bytes)") }
            }
        }
        #expect(outcomes.keys.sorted() == [-1, 0, 2] && outcomes.values.allSatisfy { $0 > 100 }, "\(outcomes)")
    }
}
