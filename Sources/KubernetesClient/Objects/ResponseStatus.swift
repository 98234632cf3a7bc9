import FoundationEssentials

/// The `Status` object with which a server says why not.
struct ResponseStatus: Decodable {
    private struct Details: Decodable {
        var retryAfterSeconds: Int?
        var causes: [Cause]?
    }

    private struct Cause: Decodable {
        var reason: String?
    }

    /// What happened, in words.
    let message: String
    /// What happened, in one word of the API.
    let reason: String
    /// The HTTP status; `nil` when it is not said.
    let code: Int?
    /// How long to wait before the next try.
    let retryAfter: Duration?
    /// The reasons in detail.
    private let causes: [String]

    private enum CodingKeys: String, CodingKey {
        case message, reason, code, details
    }

    init(from decoder: any Decoder) throws {
        // Whatever can be read helps whoever reads the message.
        let container = try decoder.container(keyedBy: CodingKeys.self)
        message = (try? container.decode(String.self, forKey: .message)) ?? ""
        reason = (try? container.decode(String.self, forKey: .reason)) ?? ""
        code = try? container.decode(Int.self, forKey: .code)
        let details = try? container.decode(Details.self, forKey: .details)
        retryAfter = details?.retryAfterSeconds.flatMap { $0 > 0 && $0 < 86_400 ? .seconds($0) : nil }
        causes = details?.causes?.compactMap(\.reason) ?? []
    }

    /// Whether the version asked for is one that the server has not reached: it has a history other than the one in
    /// which the version was seen, for instance after its store was restored from a backup. There is nothing to go on
    /// from, just as with a version that is too old.
    var isVersionTooLarge: Bool {
        causes.contains("ResourceVersionTooLarge")
            || reason == "Timeout" && message.hasPrefix("Too large resource version")
    }
}

extension APIError {
    /// What an answer other than a success means.
    ///
    /// - Parameters:
    ///   - status: the HTTP status, or the code of an `ERROR` event.
    ///   - object: the `Status` object; `nil` when the answer had none.
    ///   - body: the answer when it is not one.
    ///   - retryAfter: the header of that name.
    ///   - subject: what was asked.
    init(status: Int, object: ResponseStatus?, body: String = "", retryAfter: Duration?, subject: String) {
        let message = object.map { $0.message.isEmpty ? $0.reason : $0.message } ?? body
        let text = message.isEmpty ? "\(subject): status \(status)" : "\(message) (\(subject): status \(status))"
        if object?.isVersionTooLarge == true {
            self = .expired(text)
            return
        }
        switch status {
        case 401: self = .unauthenticated(text)
        case 403: self = .forbidden(text)
        case 404: self = .notFound(text)
        case 409: self = .conflict(text)
        case 410: self = .expired(text)
        case 429, 503: self = .busy(text, retryAfter: retryAfter ?? object?.retryAfter)
        default: self = .refused(status: status, text)
        }
    }
}
