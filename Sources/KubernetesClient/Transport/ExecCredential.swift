import FoundationEssentials

/// What a plugin is asked with and what it answers: `ExecCredential` of the `client.authentication.k8s.io` API.
struct ExecCredential: Equatable, Sendable {
    /// The bearer token; `nil` for none.
    var token: String?
    /// The client certificate and its key in PEM; `nil` for none.
    var certificate: Certificate?
    /// When these credentials stop to be good; `nil` for when the server refuses them.
    var expiration: Date?

    /// A certificate and its key in PEM.
    struct Certificate: Equatable, Sendable {
        let chain: String
        let key: String
    }

    /// What is wrong with an answer, as the end of a sentence. Never quotes it: it holds secrets.
    struct Problem: Error, Hashable {
        let reason: String
    }

    /// Reads an answer.
    ///
    /// - Parameter version: the version that the plugin was asked in, and must answer in.
    init(json: [UInt8], version: ExecPlugin.Version) throws(Problem) {
        let answer: Answer
        do { answer = try JSONDecoder().decode(Answer.self, from: Data(json)) } catch {
            throw Problem(reason: "its output is not an ExecCredential in JSON: \(Self.words(error))")
        }
        guard answer.kind == "ExecCredential" else {
            throw Problem(reason: "its output is a '\(answer.kind ?? "")', not an 'ExecCredential'")
        }
        guard answer.apiVersion == version.rawValue else {
            throw Problem(
                reason: "it answered in version '\(answer.apiVersion ?? "")' and was asked in '\(version.rawValue)'")
        }
        guard let status = answer.status else { throw Problem(reason: "its output has no status") }
        token = status.token.flatMap { $0.isEmpty ? nil : $0 }
        switch (status.clientCertificateData ?? "", status.clientKeyData ?? "") {
        case ("", ""): certificate = nil
        case (_, ""), ("", _): throw Problem(reason: "its output has only one of a client certificate and its key")
        case (let chain, let key): certificate = Certificate(chain: chain, key: key)
        }
        guard token != nil || certificate != nil else {
            throw Problem(reason: "its output has neither a token nor a client certificate")
        }
        expiration = nil
        if let text = status.expirationTimestamp {
            guard let date = Self.date(text) else {
                throw Problem(reason: "its expirationTimestamp '\(text)' is not a time of RFC 3339")
            }
            expiration = date
        }
    }

    /// What `KUBERNETES_EXEC_INFO` holds for a plugin.
    ///
    /// - Parameter authorities: the certificates that the server is trusted by, in PEM.
    static func question(_ plugin: ExecPlugin, of cluster: ClusterConfiguration, authorities: [UInt8]?) -> String {
        var info: Question.Cluster?
        if plugin.needsCluster {
            info = Question.Cluster(
                server: "\(cluster.server)",
                tlsServerName: cluster.trust.serverName,
                skipsVerification: cluster.trust.skipsVerification ? true : nil,
                authorities: authorities.map { Data($0).base64EncodedString() },
                proxy: cluster.proxy?.written,
                config: plugin.clusterExtension
            )
        }
        let question = Question(
            apiVersion: plugin.version.rawValue, spec: Question.Spec(cluster: info, interactive: false))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Text and numbers that are finite always have a form in JSON.
        return (try? encoder.encode(question)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    private static func date(_ text: String) -> Date? {
        let plain = Date.ISO8601FormatStyle()
        return (try? plain.parse(text))
            ?? (try? Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text))
    }

    private static func words(_ error: any Error) -> String {
        switch error {
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has the wrong type"
        default: "it cannot be parsed"
        }
    }

    private struct Answer: Decodable {
        let kind: String?
        let apiVersion: String?
        let status: Status?

        struct Status: Decodable {
            let token: String?
            let clientCertificateData: String?
            let clientKeyData: String?
            let expirationTimestamp: String?
        }
    }

    private struct Question: Encodable {
        let kind = "ExecCredential"
        let apiVersion: String
        let spec: Spec

        struct Spec: Encodable {
            let cluster: Cluster?
            let interactive: Bool
        }

        struct Cluster: Encodable {
            let server: String
            let tlsServerName: String?
            let skipsVerification: Bool?
            let authorities: String?
            let proxy: String?
            let config: JSONValue?

            enum CodingKeys: String, CodingKey {
                case server, config
                case tlsServerName = "tls-server-name"
                case skipsVerification = "insecure-skip-tls-verify"
                case authorities = "certificate-authority-data"
                case proxy = "proxy-url"
            }
        }

        enum CodingKeys: String, CodingKey {
            case kind, apiVersion, spec
        }
    }
}
