import GatewayConfiguration
import GatewayCore
import GatewayTesting
import KubernetesDiscovery
import RequestControl
import Testing

@testable import MartletApp

private func poolText(_ name: String) -> String {
    """
    apiVersion: inference.networking.k8s.io/v1
    kind: InferencePool
    metadata: {name: \(name)}
    spec:
      selector: {matchLabels: {app: \(name)}}
      targetPorts: [{number: 8000}]
      endpointPickerRef: {name: epp, port: {number: 9002}}
    ---
    kind: Endpoints
    endpoints: [{name: \(name)-1, address: 127.0.0.1, port: 8000, labels: {app: \(name)}}]
    ---

    """
}

private func request(_ path: String = "/v1/completions") -> IncomingRequest {
    IncomingRequest(
        method: "POST",
        target: path,
        authority: "a",
        headers: HeaderMap(),
        body: ArrayBody([]),
        receivedAt: MonotonicInstant(nanoseconds: 0)
    )
}

extension GatewayPlan {
    /// The pool that a request without anything special goes to.
    fileprivate var target: PoolID? {
        tables[.standalone]?.rule(for: request())?.backends.first?.pool
    }
}

@Suite("Where the pools of martlet epp come from")
struct EppPlanTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func plan(_ change: (inout EppOptions) -> Void) throws -> GatewayPlan {
        var options = EppOptions()
        options.poolNamespace = EppOptions.defaultNamespace
        change(&options)
        return try EppPlan(options).make()
    }

    private func refusal(_ change: (inout EppOptions) -> Void) -> String {
        do {
            _ = try plan(change)
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("a discovery file is one pool, and everything goes to it")
    func discovery() throws {
        let unnamed = try plan { $0.pickerText = PickerText.discovering("/nowhere") }
        #expect(unnamed.pools.map(\.id) == [PoolID(name: "epp")])
        #expect(unnamed.target == PoolID(name: "epp"))
        let path = try folder.write("epp.yaml", PickerText.discovering("/nowhere"))
        let named = try plan { options in
            options.pickerPath = path
            options.poolName = "llama"
            options.poolNamespace = "serving"
        }
        #expect(named.pools.map(\.id) == [PoolID(namespace: "serving", name: "llama")])
        #expect(named.listeners.isEmpty)
    }

    @Test("without resources and without a discovery file there is nothing to pick from")
    func cluster() {
        #expect(refusal { _ in }.contains("Nothing says where endpoints are"))
        #expect(refusal { $0.pickerText = PickerText.head }.contains("dataLayer.discovery"))
    }

    /// The plan of the words behind `martlet epp`.
    private func plan(_ words: [String], podName: String = "") throws -> EppPlan {
        let environment = ["NAMESPACE": "serving", "POD_NAME": podName]
        return try EppPlan(try #require(try EppOptions.read(words, environment: environment)).options)
    }

    @Test("a pool without files is one of the cluster, of which nothing is known yet")
    func poolOfCluster() throws {
        let source = try plan(["--pool-name=llama", "--pool-group=inference.networking.x-k8s.io"])
        let name = ResourceName(namespace: "serving", name: "llama")
        #expect(
            source.scope
                == PoolScope(pool: name, definition: .resource(group: "inference.networking.x-k8s.io")))
        let first = try source.make()
        #expect(first.pools.map(\.id) == [PoolID(namespace: "serving", name: "llama")])
        #expect(first.pools[0].endpoints.isEmpty)
        #expect(throws: CommandError.self) { try plan(["--pool-name=llama", "--pool-group=example.com"]) }
    }

    @Test("the pool of a selector is called after the Deployment of the pod")
    func poolOfSelector() throws {
        let words = ["--endpoint-selector=app in (a,b)", "--endpoint-target-ports=8000,8001,8000"]
        let source = try plan(words, podName: "my-epp-5d4f7c9b8-x2x7q")
        #expect(
            source.scope
                == PoolScope(
                    pool: ResourceName(namespace: "serving", name: "my-epp"),
                    definition: .selector(labels: "app in (a,b)", ports: [8000, 8001])
                )
        )
    }

    @Test("without the name of a Deployment's pod there is nothing to call it after", arguments: ["", "epp", "a-b"])
    func noDeployment(podName: String) {
        let words = ["--endpoint-selector=app=a", "--endpoint-target-ports=8000"]
        #expect(throws: CommandError.self) { try plan(words, podName: podName) }
    }

    @Test("an election has no effect where files say everything")
    func electionWithoutCluster() throws {
        let path = try folder.write("pool.yaml", poolText("llama"))
        let warnings = try plan(["--config=\(path)", "--ha-enable-leader-election"]).make().warnings
        #expect(warnings.contains { $0.contains("--ha-enable-leader-election has no effect") })
        #expect(try plan(["--config=\(path)"]).scope == nil)
    }

    @Test("an endpoint picker that cannot be read is refused with its place")
    func badPicker() throws {
        #expect(refusal { $0.pickerText = PickerText.head + "plugin: []" }.contains("--config-text:3:1"))
        #expect(refusal { $0.pickerPath = "/no/such/file" }.contains("/no/such/file"))
    }

    @Test("resources with one pool and no route send everything there")
    func onePool() throws {
        let path = try folder.write("pool.yaml", poolText("llama"))
        let plan = try plan { options in
            options.resourcesPath = path
            options.pickerText = PickerText.head + "plugins: [{type: queue-scorer}]"
        }
        #expect(plan.pools.map(\.id.name) == ["llama"])
        #expect(plan.pools[0].endpoints.map(\.id.name) == ["llama-1"])
        #expect(plan.pools[0].picker.plugins.map(\.type) == ["queue-scorer"])
        #expect(plan.target == PoolID(name: "llama"))
    }

    @Test("a pool's own picker goes before that of the flag")
    func ownPicker() throws {
        let own = PickerText.head + "metadata: {name: llama}\nplugins: [{type: random-picker}]\n"
        let path = try folder.write("pools.yaml", poolText("llama") + poolText("qwen") + own)
        let plan = try plan { options in
            options.resourcesPath = path
            options.pickerText = PickerText.head + "plugins: [{type: queue-scorer}]"
            options.poolName = "qwen"
        }
        #expect(plan.pools.map { $0.picker.plugins[0].type } == ["random-picker", "queue-scorer"])
        #expect(plan.target == PoolID(name: "qwen"))
    }

    @Test("several pools need a route or a name")
    func severalPools() throws {
        let path = try folder.write("pools.yaml", poolText("llama") + poolText("qwen"))
        #expect(refusal { $0.resourcesPath = path }.contains("2 pools and no route"))
        let unknown = refusal { options in
            options.resourcesPath = path
            options.poolName = "lama"
        }
        #expect(unknown.contains("--pool-name 'lama'") && unknown.contains("did you mean 'llama'"))
        let both = refusal { options in
            options.resourcesPath = path
            options.pickerText = PickerText.discovering("/nowhere")
        }
        #expect(both.contains("does not go with dataLayer.discovery"))
    }

    @Test("routes decide when there are some")
    func routes() throws {
        let root = String(#filePath.dropLast("Tests/MartletAppTests/EndpointPicker/EppPlanTests.swift".count))
        let plan = try plan { options in
            options.resourcesPath = "\(root)Examples/two-pools.yaml"
            options.poolName = "qwen"
        }
        #expect(plan.target?.name == "llama")
        #expect(plan.warnings == ["--pool-name has no effect: the configuration has routes."])
        #expect(Array(plan.tables.keys) == [.standalone])
    }
}
