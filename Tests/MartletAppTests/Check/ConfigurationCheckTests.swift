import GatewayConfiguration
import GatewayCore
import Testing

@testable import MartletApp

@Suite("martlet check")
struct ConfigurationCheckTests {
    private static let discovering = """
        apiVersion: llm-d.ai/v1alpha1
        kind: EndpointPickerConfig
        plugins: [{type: file-discovery, parameters: {path: PATH}}]
        dataLayer: {discovery: {pluginRef: file-discovery}}
        """

    private static let secure = """
        apiVersion: inference.networking.k8s.io/v1
        kind: InferencePool
        metadata: {name: llama}
        spec: {selector: {matchLabels: {app: llama}}, targetPorts: [{number: 8000}]}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: front}
        spec:
          gatewayClassName: martlet
          listeners: [{name: tls, protocol: HTTPS, port: 8443, tls: {certificateRefs: [{name: pair}]}}]
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: pair}
        stringData: {tls.crt: "-----BEGIN CERTIFICATE-----", tls.key: "-----BEGIN PRIVATE KEY-----"}
        """

    @Test("a discovery file that is here is read")
    func discoveryFile() throws {
        let folder = try TemporaryFolder()
        let list = try folder.write("endpoints.yaml", "endpoints: [{name: a, address: 10.0.0.1, port: 8000}]\n")
        let picker = try folder.write("picker.yaml", Self.discovering.replacing("PATH", with: list))
        #expect(try ConfigurationCheck().run(path: picker).warnings == [])
        try folder.write("endpoints.yaml", "endpoints: [{name: a}]\n")
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationCheck().run(path: picker) }
        #expect(error?.problems.allSatisfy { $0.position.file == list } == true)
    }

    @Test("a certificate that cannot be used is a mistake")
    func certificate() throws {
        let documents = try ConfigurationSet.documents(text: Self.secure, file: "secure.yaml")
        let error = #expect(throws: CommandError.self) { try ConfigurationCheck().run(documents: documents) }
        #expect(error?.description.contains("certificate or key cannot be used") == true)
    }

    @Test("a file that is not there is a mistake")
    func missingFile() {
        #expect(throws: ConfigurationError.self) { try ConfigurationCheck().run(path: "no-such-folder/x.yaml") }
    }
}
