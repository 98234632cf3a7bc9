import FoundationEssentials
import GatewayCore

/// Text that must not reach a log: its description and mirror say nothing of it.
package struct SecretText: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself.
    package let exposed: String

    /// A stand-in without the text.
    package var description: String { "<redacted>" }
    /// A stand-in without the text.
    package var debugDescription: String { "<redacted>" }
    /// A mirror without the text.
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A Secret (`v1`, type `kubernetes.io/tls`): a certificate chain and its key.
package struct TLSSecretResource: Sendable {
    /// What identifies the secret.
    package let metadata: ResourceMetadata
    /// The certificate and its intermediates in PEM.
    package let certificateChain: String
    /// The private key in PEM.
    package let privateKey: SecretText

    init(decoding document: ParameterDecoder, metadata: ResourceMetadata) {
        self.metadata = metadata
        let type = document.string("type", default: "kubernetes.io/tls")
        if type != "kubernetes.io/tls" {
            let message = "a Secret must be of type kubernetes.io/tls here, not \(ConfigurationProblem.quoted(type))"
            document.report(message, at: "type")
        }
        document.accept("immutable")
        let data = document.object("data")
        let stringData = document.object("stringData")
        certificateChain = Self.entry("tls.crt", data: data, stringData: stringData, document: document)
        privateKey = SecretText(exposed: Self.entry("tls.key", data: data, stringData: stringData, document: document))
        // A certificate manager puts the authority's certificate beside the two.
        data?.accept("ca.crt")
        stringData?.accept("ca.crt")
    }

    /// The PEM text of one entry; `stringData` wins over `data`, as in Kubernetes. No message here shows a value.
    private static func entry(
        _ key: String,
        data: ParameterDecoder?,
        stringData: ParameterDecoder?,
        document: ParameterDecoder
    ) -> String {
        let plain = stringData?.value(key)
        let encoded = data?.value(key)
        var text: String?
        if let plain {
            if case .string(let value) = plain.content { text = value }
        } else if let encoded {
            if case .string(let value) = encoded.content {
                text = Data(base64Encoded: value, options: .ignoreUnknownCharacters)
                    .flatMap { String(validating: $0, as: UTF8.self) }
            }
        } else {
            document.report("a TLS Secret needs \(key) in data (base64) or stringData")
            return ""
        }
        guard let text, text.contains("-----BEGIN ") else {
            let place = plain == nil ? data : stringData
            place?.report(plain == nil ? "is not PEM text in base64" : "is not PEM text", at: key)
            return ""
        }
        return text
    }
}
