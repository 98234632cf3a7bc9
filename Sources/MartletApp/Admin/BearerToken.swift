/// The longest token that is looked at.
private let tokenBytesMax = 16 << 10

/// The token of the header field `Authorization: Bearer TOKEN` (RFC 6750); `nil` for anything else.
func bearerToken(_ authorization: String?) -> String? {
    guard let authorization, authorization.utf8.count <= tokenBytesMax else { return nil }
    let parts = authorization.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    let token = parts[1].drop { $0 == " " }
    return token.isEmpty ? nil : String(token)
}
