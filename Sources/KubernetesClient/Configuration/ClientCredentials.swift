/// How a client shows an API server who it is. One client may show a certificate and a token at once.
///
/// Secrets are left out of its descriptions.
package struct ClientCredentials: Hashable, Sendable {
    /// What stands in the `Authorization` field of a request.
    package enum Authorization: Hashable, Sendable {
        /// Nothing, unless a plugin has a token.
        case none
        /// This bearer token.
        case token(String)
        /// The bearer token in this file, which is read again when it changes. The second one serves until the file
        /// can be read for the first time.
        case tokenFile(String, initial: String?)
        /// A user's name and password.
        case basic(user: String, password: String)
    }

    /// A certificate and the key that belongs to it, both in PEM.
    package struct Certificate: Hashable, Sendable {
        /// The certificate, and those that it was signed with.
        package var chain: ByteSource
        /// The private key.
        package var key: ByteSource

        package init(chain: ByteSource, key: ByteSource) {
            self.chain = chain
            self.key = key
        }
    }

    /// What stands in the `Authorization` field.
    package var authorization: Authorization
    /// What is shown in the TLS handshake; `nil` for nothing, unless a plugin has one.
    package var certificate: Certificate?
    /// The program that is asked for credentials; `nil` for none. A static token or password goes before its token.
    package var plugin: ExecPlugin?
    /// Whom the client acts as; `nil` for itself.
    package var impersonation: Impersonation?

    /// Credentials that show nothing unless told otherwise.
    package init(
        authorization: Authorization = .none,
        certificate: Certificate? = nil,
        plugin: ExecPlugin? = nil,
        impersonation: Impersonation? = nil
    ) {
        self.authorization = authorization
        self.certificate = certificate
        self.plugin = plugin
        self.impersonation = impersonation
    }
}

extension ClientCredentials: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String {
        var parts: [String] = []
        switch authorization {
        case .none: break
        case .token: parts.append("a token")
        case .tokenFile(let path, _): parts.append("the token in '\(path)'")
        case .basic(let user, _): parts.append("the password of '\(user)'")
        }
        if let certificate { parts.append("the certificate in \(certificate.chain)") }
        if let plugin { parts.append("what '\(plugin.command)' says") }
        if let impersonation { parts.append("acting as '\(impersonation.user)'") }
        return parts.isEmpty ? "no credentials" : parts.joined(separator: ", ")
    }
    package var debugDescription: String { description }
}

/// Whom a client acts as, which the server must allow it (`Impersonate-User` and its kin of the Kubernetes API).
package struct Impersonation: Hashable, Sendable {
    /// The user's name.
    package var user: String
    /// The user's identifier; empty for none.
    package var uid = ""
    /// The user's groups.
    package var groups: [String] = []
    /// More of what is known of the user.
    package var extra: [String: [String]] = [:]

    /// Acts as `user`, without groups.
    package init(user: String) {
        self.user = user
    }
}

/// A program that is asked for credentials, as the `client.authentication.k8s.io` API describes it.
package struct ExecPlugin: Hashable, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
    /// The versions of the API that are spoken.
    package enum Version: String, CaseIterable, Sendable {
        case v1 = "client.authentication.k8s.io/v1"
        case v1beta1 = "client.authentication.k8s.io/v1beta1"
    }

    /// A variable of the program's environment.
    package struct Variable: Hashable, Sendable {
        /// Its name.
        package var name: String
        /// Its value.
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// The program: a path with a `/`, or a name that is looked for in `PATH`.
    package var command: String
    /// Its arguments.
    package var arguments: [String]
    /// What is added to the environment of this process.
    package var environment: [Variable]
    /// The version that it is asked in, and must answer in.
    package var version: Version
    /// What to tell who does not have the program; empty for nothing.
    package var installHint: String
    /// Whether the program is told which cluster it is asked for.
    package var needsCluster: Bool
    /// What the cluster's entry has for the program; `nil` for nothing.
    package var clusterExtension: JSONValue?

    package init(
        command: String,
        arguments: [String] = [],
        environment: [Variable] = [],
        version: Version = .v1,
        installHint: String = "",
        needsCluster: Bool = false,
        clusterExtension: JSONValue? = nil
    ) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.version = version
        self.installHint = installHint
        self.needsCluster = needsCluster
        self.clusterExtension = clusterExtension
    }

    /// The command alone: arguments and environment may hold secrets.
    package var description: String { "plugin '\(command)'" }
    package var debugDescription: String { description }
}
