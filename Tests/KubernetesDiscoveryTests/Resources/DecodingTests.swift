import Foundation
import GatewayConfiguration
import GatewayCore
import KubernetesClient
import KubernetesDiscovery
import Testing

@Suite("Objects are read from JSON")
struct DecodingTests {
    @Test("a pod, with everything that a kubelet and others write around it")
    func pod() throws {
        let pod: Pod = try Cluster.decode(
            """
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a", "namespace": "prod", "uid": "1",
             "resourceVersion": "7", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"app": "llama"},
             "annotations": {"cni.example/status": "[{}]", "llm-d.ai/active-ports": "8000"}, "managedFields": [{}]},
             "spec": {"containers": [{"name": "vllm", "ports": [{"containerPort": 8000}]}]},
             "status": {"phase": "Running", "podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}],
             "conditions": [{"type": "Initialized", "status": "True"},
             {"type": "Ready", "status": "True", "lastProbeTime": null}], "hostIP": "10.1.0.1"}}
            """
        )
        #expect(pod.isEligible)
        #expect(pod.address == "10.0.0.1")
        #expect(pod.metadata.annotations == ["llm-d.ai/active-ports": "8000"], "the others are long and not needed")
        #expect(pod.metadata.resourceVersion == "7")
    }

    @Test(
        "a pod that is not ready in one of the ways that there are",
        arguments: [
            #"{"metadata": {"name": "a"}}"#, #"{"metadata": {"name": "a"}, "status": {}}"#,
            #"{"metadata": {"name": "a"}, "status": {"podIP": "10.0.0.1", "conditions": []}}"#,
            #"{"metadata": {"name": "a"}, "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "#
                + #""status": "Unknown"}]}}"#,
            #"{"metadata": {"name": "a"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#,
        ]
    )
    func unready(json: String) throws {
        let pod: Pod = try Cluster.decode(json)
        #expect(!pod.isEligible)
    }

    @Test(
        "what is no pod is an error",
        arguments: [
            #"{}"#, #"{"metadata": {}}"#, #"{"metadata": {"name": 5}}"#, #"[]"#,
            #"{"metadata": {"name": "a"}, "status": {"podIP": 5}}"#,
            #"{"metadata": {"name": "a"}, "status": {"conditions": "Ready"}}"#,
        ]
    )
    func malformed(json: String) {
        #expect(throws: (any Error).self) { try Cluster.decode(json, as: Pod.self) }
    }

    @Test("a custom object as the document that a file would have")
    func document() throws {
        let object: ClusterObject = try Cluster.decode(
            """
            {"metadata": {"name": "x", "namespace": "prod", "generation": 3, "labels": {"a": "b"},
             "creationTimestamp": "2026-01-01T00:00:00Z", "managedFields": [{"manager": "kubectl"}]},
             "spec": {"priority": -1, "poolRef": {"name": "llama"}, "list": [1, 1.5, true, null, "t", {}]},
             "status": {"conditions": [{"type": "Accepted", "status": "Unknown", "reason": "Pending",
             "message": "", "lastTransitionTime": "1970-01-01T00:00:00Z"}]}}
            """
        )
        #expect(object.metadata.generation == 3)
        #expect(object.conditions.map(\.status) == ["Unknown"])
        let document = object.document(as: ClusterResources.objectives[0])
        #expect(document["apiVersion"] == "llm-d.ai/v1alpha2")
        #expect(document["kind"] == "InferenceObjective")
        #expect(document["metadata"]?["creationTimestamp"] == "2026-01-01T00:00:00Z")
        #expect(document["status"] == nil)
        #expect(document["spec"]?["priority"] == -1)
        #expect(document["spec"]?["list"] == [1, 1.5, true, nil, "t", [:]])
        #expect(document["spec"]?["priority"]?.position.file == "InferenceObjective prod/x")
    }

    @Test("somebody else's status may be anything")
    func strangeStatus() throws {
        let object: ClusterObject = try Cluster.decode(
            #"{"metadata": {"name": "x"}, "spec": {}, "status": {"conditions": {"Accepted": true}}}"#)
        #expect(object.conditions.isEmpty)
    }

    @Test("nesting without end is an error, not the end")
    func nesting() {
        let depth = 400
        let json =
            #"{"metadata": {"name": "x"}, "spec": "# + String(repeating: "[", count: depth)
            + String(repeating: "]", count: depth) + "}"
        #expect(throws: (any Error).self) { try Cluster.decode(json, as: ClusterObject.self) }
    }

    @Test("an import names the clusters that export the pool")
    func poolImport() throws {
        let pool: PoolImport = try Cluster.decode(
            """
            {"metadata": {"name": "llama", "namespace": "prod"}, "status": {"controllers": [
             {"name": "a.example/x", "exportingClusters": [{"name": "west"}, {"name": "east"}]},
             {"name": "b.example/x", "exportingClusters": [{"name": "east"}]}, {"name": "c.example/x"}]}}
            """
        )
        #expect(pool.exportingClusters == ["east", "west"])
    }
}
