import Crypto
import FoundationEssentials
import GatewayCore

/// The secret of those who may act by the admin address: drain an endpoint, change a log level. It is
/// not for reading, which in a cluster `MetricsAccess` guards.
struct AdminToken: Sendable {
    /// The environment variable that stands in for `--admin-token-file`.
    static let variable = "MARTLET_ADMIN_TOKEN"
    /// The fewest characters: what is shorter can be guessed.
    private static let lengthMin = 16

    private let digest: SHA256Digest

    /// What a request may do.
    enum Verdict: Hashable {
        /// It has the token.
        case allowed
        /// It has no token, or another one.
        case unauthenticated
    }

    /// The token of a file, or of the environment; `nil` when there is none, so that nobody may act.
    ///
    /// - Throws: ``CommandError`` for a file that cannot be read, and for a token that is too short.
    init?(path: String?, environment: [String: String]) throws(CommandError) {
        let origin: String
        let text: String
        if let path {
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)) else {
                throw CommandError("--admin-token-file \(path) cannot be read.")
            }
            origin = "--admin-token-file \(path)"
            text = String(decoding: data, as: UTF8.self)
        } else if let variable = environment[Self.variable], !variable.isEmpty {
            origin = "$\(Self.variable)"
            text = variable
        } else {
            return nil
        }
        let token = text.filter { !$0.isWhitespace }
        if token.count < Self.lengthMin {
            throw CommandError("\(origin) has a token of \(token.count) characters; \(Self.lengthMin) are the least.")
        }
        digest = SHA256.hash(data: Array(token.utf8))
    }

    /// Whether a request may act: whether it carries `Authorization: Bearer TOKEN`. Digests are compared, so that the
    /// time of the answer says nothing of the token.
    func verdict(_ request: AdminRequest) -> Verdict {
        guard let token = bearerToken(request.headers.first("authorization"))?.filter({ !$0.isWhitespace }) else {
            return .unauthenticated
        }
        return SHA256.hash(data: Array(token.utf8)) == digest ? .allowed : .unauthenticated
    }
}
