import GatewayCore
import RequestFormats

/// Which model serves a request: the one that it asks for, or another one by a rule of its pool or by its header.
struct ModelRewrite {
    /// The model that the request asks for.
    let asked: String
    /// The model that serves.
    let target: String
    /// The resource whose rule decided; `nil` when none did.
    let decidedBy: String?
    /// The bytes of the body's model with their quotes; `nil` when the body has none that may be replaced.
    private let modelRange: Range<Int>?

    /// Decides.
    ///
    /// A rule goes before the header: who names one of the rule's targets there gets it, any other name counts for
    /// nothing. Without a rule the header decides. It is the client's, unless the route sets or removes it.
    ///
    /// - Parameters:
    ///   - identity: what was read of the request.
    ///   - request: the request as it came in.
    ///   - mutations: the changes of its route to the request's header.
    ///   - table: the rules of its pool; `nil` for none.
    ///   - random: for the draw.
    /// - Throws: ``Rejection`` `invalidRequest` for a name in the header that cannot be that of a model.
    init(
        of identity: RequestIdentity,
        in request: IncomingRequest,
        changedBy mutations: [HeaderMutation],
        by table: ModelRewriteTable?,
        random: inout RandomSource
    ) throws(Rejection) {
        asked = identity.model
        guard identity.api.hasRewritableModel, let range = identity.parsed?.modelRange else {
            target = asked
            decidedBy = nil
            modelRange = nil
            return
        }
        modelRange = range
        let named = request.first(of: HeaderNames.modelRewrite, changedBy: mutations) ?? ""
        if let rule = table?.rule(for: asked) {
            decidedBy = rule.rewrite
            target = Self.target(of: rule, named: named, request, &random)
        } else {
            decidedBy = nil
            if !named.isEmpty { try RequestIdentity.check(modelName: named) }
            target = named.isEmpty ? asked : named
        }
    }

    private static func target(
        of rule: ModelRewriteRule,
        named: String,
        _ request: IncomingRequest,
        _ random: inout RandomSource
    ) -> String {
        if !named.isEmpty, rule.hasTarget(named) { return named }
        if let header = rule.stickyHeader, let session = request.headers.first(named: header), !session.isEmpty {
            return rule.target(ofSession: session)
        }
        return rule.target(&random)
    }

    /// What becomes of the body; `nil` when it stays as it is.
    func replacement(in body: any BodyBytes) -> BodyReplacement? {
        guard target != asked, let modelRange else { return nil }
        return BodyReplacement(JSONRewrite(replacing: modelRange, ofDocumentWithByteCount: body.count, with: target))
    }
}
