import FoundationEssentials
import GatewayCore
import Testing

@testable import BuiltinPlugins
@testable import GatewayConfiguration

@Suite struct DiscoveryTests {
    private func build(_ body: String) throws -> PluginPipeline {
        let text = "apiVersion: llm-d.ai/v1alpha1\nkind: EndpointPickerConfig\n" + body
        let builder = PipelineBuilder(registry: BuiltinCatalogue.registry())
        return try builder.build(
            try EndpointPickerConfiguration.decode(text: text, file: "epp.yaml"),
            context: PluginContext(clock: SystemMonotonicClock())
        )
    }

    private func problem(_ body: String) -> String {
        do {
            _ = try build(body)
            return ""
        } catch {
            return "\(error)"
        }
    }

    /// Runs `body` with the path of a file that holds `text`, and removes the file.
    private func withFile(_ text: String, _ body: (String) throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "martlet-\(UUID().uuidString).yaml")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file.path)
    }

    private func problems(_ text: String) throws -> String {
        var result = ""
        try withFile(text) { path in
            do {
                _ = try EndpointListFile.load(path: path)
            } catch {
                result = "\(error)".replacing(path, with: "FILE")
            }
        }
        return result
    }

    @Test func theSourceThatIsReferredToIsThePipelines() throws {
        let pipeline = try build(
            """
            plugins:
            - {name: one, type: file-discovery, parameters: {path: one.yaml}}
            - {name: two, type: file-discovery, parameters: {path: two.yaml, watchFile: true}}
            dataLayer: {discovery: {pluginRef: two}}
            """
        )
        #expect(pipeline.endpointSource?.path == "two.yaml")
        #expect(pipeline.endpointSource?.isWatched == true)
        #expect(
            pipeline.warnings.map(\.description) == [
                "epp.yaml:4:3: plugins[0]: has no effect: dataLayer.discovery.pluginRef does not name 'one'"
            ]
        )
        let without = try build("plugins: []")
        #expect(without.endpointSource == nil)
    }

    @Test func whatIsNoSourceIsRefusedWithItsPlace() {
        let notASource = "plugins: [{type: queue-scorer}]\ndataLayer: {discovery: {pluginRef: queue-scorer}}"
        #expect(
            problem(notASource)
                == "epp.yaml:4:25: dataLayer.discovery.pluginRef: the plugin \"queue-scorer\" of type queue-scorer is "
                + "not an endpoint source"
        )
        #expect(problem("dataLayer: {discovery: {pluginRef: file}}").contains("no plugin is called \"file\""))
        let noPath = "plugins: [{type: file-discovery}]\ndataLayer: {discovery: {pluginRef: file-discovery}}"
        #expect(problem(noPath).contains("required field \"path\" is missing"))
    }

    @Test func readsTheListOfEndpoints() throws {
        let text = """
            endpoints:
            - {name: a, address: 10.0.0.1, port: "8000", labels: {role: decode}}
            - {name: a, namespace: other, address: gpu.lan, port: 1}
            """
        try withFile(text) { path in
            let entries = try EndpointListFile.load(path: path).endpoints
            #expect(entries.map(\.id.description) == ["default/a", "other/a"])
            #expect(entries.map(\.port) == [8_000, 1])
            #expect(entries[0].labels == ["role": "decode"])
        }
        try withFile(#"{"endpoints": []}"#) { path in
            let entries = try EndpointListFile.load(path: path).endpoints
            #expect(entries.isEmpty)
        }
    }

    @Test func entriesOfAFileMayBeRanks() throws {
        let text = """
            endpoints:
            - {name: a, address: 10.0.0.1, ports: ["8000", "8001"], annotations: {llm-d.ai/active-ports: "8001, 1"}}
            - {name: b, address: 10.0.0.2}
            """
        try withFile(text) { path in
            let file = try EndpointListFile.load(path: path, targetPorts: [7])
            #expect(file.endpoints.map(\.id.name) == ["a-rank-1", "b-rank-0"])
            #expect(file.endpoints.map(\.port) == [8_001, 7])
            #expect(file.warnings.count == 1)
        }
        #expect(
            try problems(text)
                == "FILE:3:3: endpoints[1]: required field \"port\" is missing: there is no InferencePool with "
                + "targetPorts"
        )
    }

    @Test func everyWrongEntryIsNamed() throws {
        let text = """
            endpoints:
            - {name: a, address: "[::1]", port: "8000"}
            - {name: b, address: 10.0.0.1, port: "70000"}
            - {address: 10.0.0.1, port: 1}
            """
        let lines = try problems(text).split(separator: "\n").map(String.init)
        #expect(lines.count == 3)
        #expect(lines.allSatisfy { $0.hasPrefix("FILE:") })
        let twice = "endpoints: [{name: a, address: a, port: 1}, {name: a, address: b, port: 1}]"
        #expect(
            try problems(twice)
                == "FILE:1:45: endpoints[1]: a second endpoint default/a; the first is at FILE:1:13"
        )
        #expect(try problems("") == "FILE: expected one list of endpoints, found 0 documents")
        #expect(try problems("endpoints: []\n---\nendpoints: []").contains("found 2 documents"))
        #expect(try problems("endpoint: []").contains("endpoint"))
        #expect(try problems(String(repeating: "#", count: 1 << 21)).contains("at most 1048576 are read"))
    }
}
