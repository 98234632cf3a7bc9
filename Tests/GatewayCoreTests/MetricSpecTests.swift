import GatewayCore
import Testing

@Suite struct MetricSpecTests {
    @Test(arguments: [
        ("vllm:num_requests_waiting", "vllm:num_requests_waiting"),
        (" a ", "a"),
        ("a{}", "a"),
        ("a{b=c}", "a{b=\"c\"}"),
        ("a{b=\"c\"}", "a{b=\"c\"}"),
        ("a { b = c , e = \"f g\" , }", "a{b=\"c\",e=\"f g\"}"),
        ("a{b=\"c,}\\\"\\\\\\n\"}", "a{b=\"c,}\\\"\\\\\\n\"}"),
        ("a{b=\"\"}", "a{b=\"\"}"),
        ("_:9{_9=x}", "_:9{_9=\"x\"}"),
    ])
    func readsTheTextForm(text: String, printed: String) throws {
        let spec = try MetricSpec(parsing: text)
        #expect(spec.description == printed)
        #expect(try MetricSpec(parsing: spec.description) == spec)
    }

    @Test(arguments: [
        ("", 0, "a metric name"), ("9a", 0, "a metric name"), ("é", 0, "a metric name"), ("a b", 2, "'{' or the end"),
        ("a{", 2, "a label name"), ("a{b", 3, "'='"), ("a{b=", 4, "a label value"), ("a{b=c", 5, "',' or '}'"),
        ("a{b=\"c", 6, "a closing quote"), ("a{b=\"\\x\"}", 6, "'\\\"', '\\\\' or '\\n'"), ("a{b=c}d", 6, "the end"),
        ("a{b:c=d}", 3, "'='"), ("a{b=c\"d\"}", 5, "',' or '}'"), ("a{,}", 2, "a label name"),
    ])
    func tellsWhereATextGoesWrong(text: String, offset: Int, expected: String) {
        let error = #expect(throws: MetricSpec.SyntaxError.self) { _ = try MetricSpec(parsing: text) }
        #expect(
            error?.description
                == "metric specification '\(text)' is not valid: expected \(expected) at byte \(offset)"
        )
    }

    @Test func survivesMutations() {
        var random = RandomSource(seed: 3)
        let seeds = ["nv_trt_llm_request_metrics{request_type=\"waiting\",v=1}", "a{b=\"\\\"\\n\"}", "vllm:x"]
        var accepted = 0
        for round in 0..<5000 {
            var bytes = Array(seeds[round % seeds.count].utf8)
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.insert(Array("{}=,\"\\ :".utf8).randomElement(using: &random) ?? 0, at: place)
                default: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            guard let spec = try? MetricSpec(parsing: String(decoding: bytes, as: UTF8.self)) else { continue }
            accepted += 1
            #expect((try? MetricSpec(parsing: spec.description)) == spec)
        }
        #expect(accepted > 100)
    }
}
