import KubernetesClient
import Testing

@Suite("Resource types")
struct APIResourceTests {
    @Test("Paths of core and group resources")
    func paths() {
        let pods = APIResource(group: "", version: "v1", plural: "pods", kind: "Pod")
        #expect(pods.path(namespace: "a") == "/api/v1/namespaces/a/pods")
        #expect(pods.path(namespace: nil) == "/api/v1/pods")
        let pools = APIResource(
            group: "inference.networking.k8s.io", version: "v1", plural: "inferencepools", kind: "InferencePool")
        #expect(
            pools.path(namespace: "a", name: "b", subresource: "status")
                == "/apis/inference.networking.k8s.io/v1/namespaces/a/inferencepools/b/status"
        )
        #expect("\(pools)" == "inferencepools.inference.networking.k8s.io")
    }
}
