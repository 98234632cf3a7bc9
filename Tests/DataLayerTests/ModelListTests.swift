import DataLayer
import GatewayCore
import GatewayTesting
import Testing

extension ModelListReader {
    fileprivate static func read(bytes: [UInt8]) throws -> [ServedModel] {
        try read(bytes.span.bytes)
    }
}

@Suite struct ModelListTests {
    private func read(_ text: String) throws -> [ServedModel] {
        try ModelListReader.read(bytes: Array(text.utf8))
    }

    @Test func readsTheListOfARealEngine() throws {
        let models = try ModelListReader.read(bytes: Fixture.vllmModels)
        #expect(models.map(\.id) == ["tiny-llama", "lora-a", "lora-b"])
        for model in models {
            let text = String(decoding: model.json, as: UTF8.self)
            #expect(text.hasPrefix("{\"id\":\"\(model.id)\",\"object\":\"model\"") && text.hasSuffix("}]}"))
        }
    }

    @Test func readsEscapesSpacesAndTheFirstOfEqualNames() throws {
        let models = try read(
            #" { "x" : [1, -2.5e+3, {"y": null}], "data" : [ { "a":[], "id" : "q\u0041\/\ud83d\ude00" }, "#
                + #"{"id":"b","n":1},{"id":"b","n":2} ] , "object":"list" } "#
        )
        #expect(models.map(\.id) == ["qA/😀", "b"])
        #expect(models.map { String(decoding: $0.json, as: UTF8.self) }.last == #"{"id":"b","n":1}"#)
    }

    @Test(arguments: [
        ("", "expected an object at byte 0"),
        ("[]", "expected an object at byte 0"),
        ("{}", "there is no array called 'data' at byte 0"),
        (#"{"data":{}}"#, "expected an array at byte 8"),
        (#"{"data":[{}]}"#, "an entry has no 'id' at byte 9"),
        (#"{"data":[{"id":""}]}"#, "an entry has no 'id' at byte 9"),
        (#"{"data":[{"id":7}]}"#, "expected a string at byte 15"),
        (#"{"data":[{"id":"a"}"#, "expected ',' or ']' at byte 19"),
        (#"{"data":[{"id":"a"},]}"#, "expected an object at byte 20"),
        (#"{"data":[]} x"#, "something stands behind the object at byte 12"),
        (#"{"data":[{"id":"\ud800"}]}"#, "a surrogate has no partner at byte 22"),
        (#"{"data":[{"id":"\q"}]}"#, "a string has an unknown escape at byte 17"),
        (#"{"a":01,"data":[]}"#, "expected ',' or '}' at byte 6"),
        (#"{"a":nul}"#, "expected null at byte 8"),
        ("{\"a\":\"\n\"}", "a control character stands in a string at byte 6"),
    ])
    func saysWhatIsWrong(text: String, problem: String) {
        let error = #expect(throws: ModelListError.self) { try read(text) }
        #expect(error?.description == "the model list is not valid: \(problem)")
    }

    @Test func refusesWhatIsNotUTF8() {
        let page = Array(#"{"data":[{"id":"a"#.utf8) + [0xFF] + Array(#""}]}"#.utf8)
        let error = #expect(throws: ModelListError.self) { try ModelListReader.read(bytes: page) }
        #expect(error?.problem == "it is not UTF-8")
    }

    @Test func isBoundedInDepthAndNumber() {
        let deep = #"{"a":"# + String(repeating: "[", count: 100_000)
        let error = #expect(throws: ModelListError.self) { try read(deep) }
        #expect(error?.problem == "it is nested more than 64 deep")
        let many = (0...ModelListReader.entriesMax).map { #"{"id":"\#($0)"}"# }.joined(separator: ",")
        let tooMany = #expect(throws: ModelListError.self) { try read(#"{"data":[\#(many)]}"#) }
        #expect(tooMany?.problem == "there are more than 10000 entries")
    }

    @Test func noMutationOfARealListTraps() throws {
        var random = RandomSource(seed: 7)
        let adapter = try ModelListReader.read(bytes: Fixture.vllmModels)[1]
        let original = Array(#"{"object":"list","data":["#.utf8) + adapter.json + Array("]}".utf8)
        var readable = 0
        for _ in 0..<2_000 {
            var page = original
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                let index = Int.random(in: 0..<page.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: page[index] = UInt8.random(in: 0...255, using: &random)
                case 1: page.remove(at: index)
                default: page.insert(#"{}[]",:\u0e-"#.utf8.randomElement(using: &random)!, at: index)
                }
            }
            guard let models = try? ModelListReader.read(bytes: page) else { continue }
            readable += 1
            // What was accepted can be served: each entry is itself a list's entry.
            for model in models {
                let again = Array(#"{"data":["#.utf8) + model.json + Array("]}".utf8)
                #expect((try? ModelListReader.read(bytes: again))?.map(\.id) == [model.id])
            }
        }
        #expect(readable > 50, "some mutations hit only the inside of strings")
    }
}

@Suite struct ServedModelsTests {
    private let clock = ManualClock()

    private func model(_ id: String, _ note: String = "") -> ServedModel {
        ServedModel(id: id, json: Array(#"{"id":"\#(id)","note":"\#(note)"}"#.utf8))
    }

    @Test func theUnionFollowsTheEndpointsAndNamesEachModelOnce() throws {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints([.made("a"), .made("b", port: 1)])
        let lives = store.current.endpoints.map(EndpointLife.init)
        store.record(models: [model("base", "b"), model("z", "b")], for: lives[1])
        #expect(!store.current.models.allEndpointsHaveTold)
        #expect(store.current.endpoints[0].models == nil)
        store.record(models: [model("base", "a"), model("y", "a")], for: lives[0])
        let models = store.current.models
        #expect(models.allEndpointsHaveTold)
        #expect(models.union() == [model("base", "a"), model("y", "a"), model("z", "b")])
        #expect(models.entry("z") == model("z", "b"))
        #expect(models.entry("x") == nil)
        #expect(models.serves("y") && models.serves("z") && !models.serves("x"))
        #expect(try ModelListReader.read(bytes: models.listJSON()) == models.union())
        #expect(store.current.endpoints[0].models == ["base", "y"])
    }

    @Test func aNewEndpointHasNotTold() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints([.made("a")])
        store.record(models: [model("m")], for: EndpointLife(store.current.endpoints[0]))
        #expect(store.current.models.allEndpointsHaveTold)
        store.replaceEndpoints([.made("a"), .made("b", port: 1)])
        #expect(!store.current.models.allEndpointsHaveTold)
        #expect(store.current.models.serves("m"))
        store.replaceEndpoints([.made("b", port: 1)])
        #expect(!store.current.models.serves("m"))
    }

    @Test func adaptersOfTheMetricsAreServed() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints([.made("a"), .made("b", port: 1)])
        let lives = store.current.endpoints.map(EndpointLife.init)
        for life in lives { store.record(models: [model("base"), model("listed")], for: life) }
        #expect(!store.current.models.serves("x"))
        let metrics = EndpointMetrics(activeModels: ["listed"], waitingModels: ["x"])
        store.record(metrics: metrics, for: lives[1], at: clock.now)
        #expect(store.current.models.serves("x"))
        store.record(metrics: EndpointMetrics(activeModels: ["listed"]), for: lives[1], at: clock.now)
        #expect(!store.current.models.serves("x"))
        #expect(store.current.models.serves("listed"))
    }

    @Test func anEntryThatChangedIsServedAsItIsNow() {
        let store = EndpointStore(pool: PoolID(name: "pool"), clock: clock)
        store.replaceEndpoints([.made("a")])
        let life = EndpointLife(store.current.endpoints[0])
        store.record(models: [model("m", "old")], for: life)
        let before = store.current
        store.record(models: [model("m", "new")], for: life)
        #expect(before.models.entry("m") == model("m", "old"))
        #expect(store.current.models.entry("m") == model("m", "new"))
        #expect(store.current.endpoints[0] === before.endpoints[0], "the names are the same")
    }
}
