import NIOCore
import Testing

@testable import KubernetesClient

/// Lists of the size of a real cluster's, with pods as long as real ones.
@Suite("Long lists")
struct PodListTests {
    private struct Pod: KubernetesObject {
        struct Status: Decodable {
            struct Condition: Decodable {
                var type: String
                var status: String
            }

            var podIP: String?
            var conditions: [Condition]?
        }

        var metadata: ObjectMetadata
        var status: Status
    }

    static func pod(_ number: Int) -> String {
        let fields = (0..<60).map { #""f:k\#($0)":{".":{},"f:name":{},"f:value":{},"f:ports":{}}"# }
        let env = (0..<60).map { #"{"name":"VARIABLE_\#($0)","value":"some value of variable \#($0)"}"# }
        return #"{"metadata":{"name":"pod-\#(number)","generateName":"pod-","namespace":"ns","uid":"\#(number)-u","#
            + #""resourceVersion":"\#(number)","creationTimestamp":"2026-01-02T03:04:05Z","labels":{"app":"vllm","#
            + #""pod-template-hash":"5d8f"},"annotations":{"a":"b"},"managedFields":[{"manager":"kubelet","fieldsV1":{"#
            + fields.joined(separator: ",") + #"}}]},"spec":{"containers":[{"name":"vllm","env":["#
            + env.joined(separator: ",") + #"]}]},"status":{"phase":"Running","podIP":"127.1.0.1","conditions":["#
            + #"{"type":"Ready","status":"True","lastProbeTime":null},{"type":"PodScheduled","status":"True"}]}}"#
    }

    @Test("A thousand pods come in two pages")
    func thousandPods() async throws {
        let transport = MemoryTransport { request in
            let first = request.parameters["continue"] == nil
            let pods = (first ? 0..<500 : 500..<1000).map(Self.pod)
            let text = Gadget.list(pods, version: "5", continuation: first ? "x" : "")
            var rest = ByteBuffer(string: text)
            var pieces: [ByteBuffer] = []
            while let piece = rest.readSlice(length: min(rest.readableBytes, 65_536)), piece.readableBytes > 0 {
                pieces.append(piece)
            }
            return APIResponse(status: 200, body: MemoryBody(pieces: pieces))
        }
        let client = APIClient(transport: transport)
        let query = ResourceQuery(
            APIResource(group: "", version: "v1", plural: "pods", kind: "Pod"), namespace: "ns")
        let first = try await client.list(query, as: Pod.self)
        let second = try await client.list(
            query, as: Pod.self, page: ListPageRequest(continuation: first.continuation))
        let pods = first.objects + second.objects
        #expect(second.continuation == nil)
        #expect(pods.count == 1000)
        #expect(pods[999].metadata.name == "pod-999")
        #expect(pods.allSatisfy { $0.status.podIP == "127.1.0.1" && $0.status.conditions?.count == 2 })
    }
}
