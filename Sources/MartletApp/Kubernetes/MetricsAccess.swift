import Crypto
import KubernetesClient
import Logging
import Synchronization

/// Asks the cluster who may read the metrics port, as the servers of Kubernetes itself do: the bearer token of a
/// request is reviewed, and whoever it belongs to must be allowed to `get` the path.
///
/// Answers are kept for a while, so that a scrape every few seconds does not become load of the API server. Safe from
/// any task.
final class MetricsAccess: Sendable {
    /// Whether a request is answered.
    enum Verdict: Hashable, Sendable {
        case allowed
        /// There is no token, or nobody knows it (401).
        case unauthenticated
        /// Whoever it is may not (403): the reason.
        case forbidden(String)
        /// The cluster could not be asked (503), for a reason that is not told to strangers.
        case unknown
    }

    /// What is remembered of a question: its token stays with those who know it.
    private struct Question: Hashable {
        let tokenDigest: SHA256Digest
        let path: String
    }

    private struct Answer {
        let verdict: Verdict
        let until: ContinuousClock.Instant
    }

    /// How long an answer holds: as long as the API server's own delegates keep a refusal, so that a revoked token is
    /// not good for much longer.
    private static let lifetime = Duration.seconds(30)
    /// The most answers that are kept; beyond, all are forgotten.
    private static let answersMax = 1_000

    private let client: APIClient
    private let logger: Logger
    private let answers = Mutex<[Question: Answer]>([:])
    private let seats = Seats(16)

    init(client: APIClient, logger: Logger) {
        self.client = client
        self.logger = logger
    }

    /// Whether a request for `path` with the field `authorization` is answered.
    func verdict(authorization: String?, path: String) async -> Verdict {
        guard let token = bearerToken(authorization) else { return .unauthenticated }
        let question = Question(tokenDigest: SHA256.hash(data: Array(token.utf8)), path: path)
        let now = ContinuousClock.now
        if let answer = answers.withLock({ $0[question] }), answer.until > now { return answer.verdict }
        // Anybody can come with a new token each time: what that asks of the cluster at once is bounded.
        guard seats.take() else { return .unknown }
        defer { seats.giveBack() }
        do throws(APIError) {
            let verdict = try await ask(token: token, path: path)
            answers.withLock { answers in
                if answers.count >= Self.answersMax { answers = [:] }
                answers[question] = Answer(verdict: verdict, until: now.advanced(by: Self.lifetime))
            }
            return verdict
        } catch {
            logger.warning("the cluster cannot be asked who may read \(path): \(error)")
            return .unknown
        }
    }

    private func ask(token: String, path: String) async throws(APIError) -> Verdict {
        let review = try await client.reviewToken(token)
        guard review.isAuthenticated else { return .unauthenticated }
        let decision = try await client.mayAccess(review.user, .path(path, verb: "get"))
        if decision.isAllowed { return .allowed }
        return .forbidden("\(review.user.username) may not get \(path)")
    }
}
